import { featureViewSchema, type FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { ReadingBlock, Series } from "@sluice/shared/contract/reading.ts";

/** A reading as a test writes it. */
export interface TestReading {
  readonly device?: string;
  readonly deviceType?: string;
  readonly metric?: string;
  readonly atMs: number;
  readonly value?: number;
  readonly withheld?: boolean;
  /** The message that it is of; a message of its own unless it says otherwise. */
  readonly offset?: number;
  /** When the message came; its offset in seconds unless it says otherwise. */
  readonly receivedAtMs?: number;
}

/** Readings in arrival order as one block; message `firstOffset + i` each, received at its own number in seconds. */
export function blockOf(readings: readonly TestReading[], firstOffset = 0): ReadingBlock {
  const count = readings.length;
  const series: Series[] = [];
  const places = new Map<string, number>();
  const block = {
    count,
    series,
    seriesIndex: new Uint32Array(count),
    offset: new Float64Array(count),
    index: new Uint32Array(count),
    measuredAtUs: new Float64Array(count),
    receivedAtUs: new Float64Array(count),
    value: new Float64Array(count),
    clock: new Uint8Array(count),
    withheld: new Uint8Array(count),
  };
  for (const [i, reading] of readings.entries()) {
    const { device = "p1", deviceType = "pump", metric = "a" } = reading;
    const key = `${device}/${deviceType}/${metric}`;
    if (!places.has(key)) {
      places.set(key, series.length);
      series.push({ device, deviceType, metric, unit: undefined });
    }
    block.seriesIndex[i] = places.get(key) ?? 0;
    const offset = reading.offset ?? firstOffset + i;
    block.offset[i] = offset;
    block.index[i] = i > 0 && block.offset[i - 1] === offset ? (block.index[i - 1] ?? 0) + 1 : 0;
    block.measuredAtUs[i] = reading.atMs * 1_000;
    block.receivedAtUs[i] = (reading.receivedAtMs ?? offset * 1_000) * 1_000;
    block.value[i] = reading.value ?? 0;
    block.withheld[i] = Number(reading.withheld ?? false);
  }
  return block;
}

/** The same readings in several blocks, cut at these places. */
export function cut(block: ReadingBlock, places: readonly number[]): ReadingBlock[] {
  const edges = [
    0,
    ...places.map((place) => Math.min(place, block.count)).sort((a, b) => a - b),
    block.count,
  ];
  return edges.slice(1).map((to, i) => {
    const from = edges[i] ?? 0;
    return {
      count: to - from,
      series: block.series,
      seriesIndex: block.seriesIndex.slice(from, to),
      offset: block.offset.slice(from, to),
      index: block.index.slice(from, to),
      measuredAtUs: block.measuredAtUs.slice(from, to),
      receivedAtUs: block.receivedAtUs.slice(from, to),
      value: block.value.slice(from, to),
      clock: block.clock.slice(from, to),
      withheld: block.withheld.slice(from, to),
    };
  });
}

export interface TestFeature {
  readonly fn: string;
  /** The input a, unless it says otherwise or that there is none. */
  readonly of?: string | readonly string[] | undefined;
  readonly with?: Readonly<Record<string, number | string>> | undefined;
  readonly from?: string;
  readonly expect?: { readonly min?: number; readonly max?: number };
}

/** A view of pumps over the metrics a and b; a hopping window of 300 ms every 100 ms unless said otherwise. */
export function viewOf(
  features: readonly TestFeature[],
  window: Readonly<Record<string, number | string | undefined>> = {},
): FeatureView {
  const { kind = "hopping" } = window;
  return featureViewSchema.parse({
    name: "test_view",
    owner: "tests",
    match: { deviceType: "pump" },
    window: {
      ...(kind === "hopping" ? { kind, sizeMs: 300, hopMs: 100 } : {}),
      allowedLatenessMs: 0,
      correctionMs: 0,
      ...window,
    },
    inputs: { a: { metric: "a" }, b: { metric: "b" } },
    features: features.map((feature, i) => ({ name: `f${i}`, of: "a", ...feature })),
  });
}
