import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { TestReading } from "./readings.ts";

/** What the model says of a vector of a view with the features count, sum, first and deviation of metric "a". */
export interface ModelVector {
  readonly device: string;
  readonly startMs: number;
  readonly revision: number;
  readonly values: readonly (number | undefined)[];
}

interface ModelDevice {
  newestMs: number;
  earliestMs: number;
  readonly windows: Map<number, TestReading[]>;
  readonly revisions: Map<number, number>;
  readonly closings: { readonly startMs: number; readonly before: readonly number[] }[];
  means: number[];
}

/**
 * The windows as their definition says, without any care for speed: every window keeps its own readings, and every
 * reading looks at every window. Values must be small whole numbers, so that sums are exact in any order.
 */
export function modelVectors(view: FeatureView, readings: readonly TestReading[]): ModelVector[] {
  const devices = new Map<string, ModelDevice>();
  return readings.flatMap((reading) => {
    const { device = "p1" } = reading;
    const state = devices.get(device) ?? {
      newestMs: -Infinity,
      earliestMs: Infinity,
      windows: new Map<number, TestReading[]>(),
      revisions: new Map<number, number>(),
      closings: [],
      means: [],
    };
    devices.set(device, state);
    return [...revise(view, state, reading), ...close(view, state, reading)].map((vector) => ({
      device,
      ...vector,
    }));
  });
}

function alignedWindow({ window }: FeatureView) {
  if (window.kind !== "hopping" && window.kind !== "tumbling")
    throw new Error(`no model of windows of kind "${window.kind}"`);
  return window;
}

type Made = Omit<ModelVector, "device">;

function revise(view: FeatureView, state: ModelDevice, reading: TestReading): Made[] {
  const { sizeMs, allowedLatenessMs, correctionMs } = alignedWindow(view);
  const hopMs = view.window.kind === "hopping" ? view.window.hopMs : sizeMs;
  const watermark = state.newestMs - allowedLatenessMs;
  if (reading.atMs >= watermark) state.earliestMs = Math.min(state.earliestMs, reading.atMs);
  const made: Made[] = [];
  for (
    let start = Math.floor((reading.atMs - sizeMs) / hopMs) * hopMs;
    start <= reading.atMs;
    start += hopMs
  ) {
    const end = start + sizeMs;
    if (end <= reading.atMs || watermark - end >= correctionMs) continue;
    const held = [...(state.windows.get(start) ?? []), reading].sort((a, b) => a.atMs - b.atMs);
    state.windows.set(start, held);
    if (end > watermark || start < state.earliestMs) continue;
    const revision = (state.revisions.get(start) ?? -1) + 1;
    state.revisions.set(start, revision);
    const before = state.closings.find((closing) => closing.startMs >= start)?.before ?? state.means;
    made.push({ startMs: start, revision, values: valuesOf(held, before) });
  }
  return made;
}

function close(view: FeatureView, state: ModelDevice, reading: TestReading): Made[] {
  const { sizeMs, allowedLatenessMs } = alignedWindow(view);
  const before = state.newestMs - allowedLatenessMs;
  state.newestMs = Math.max(state.newestMs, reading.atMs);
  const watermark = state.newestMs - allowedLatenessMs;
  return [...state.windows]
    .filter(([start]) => start >= state.earliestMs && start + sizeMs <= watermark && start + sizeMs > before)
    .sort(([a], [b]) => a - b)
    .map(([startMs, held]) => {
      state.revisions.set(startMs, 0);
      const vector = { startMs, revision: 0, values: valuesOf(held, state.means) };
      const own = held.filter((each) => (each.metric ?? "a") === "a");
      state.closings.push({ startMs, before: state.means });
      if (own.length > 0) state.means = [...state.means, sum(own) / own.length];
      return vector;
    });
}

const sum = (readings: readonly TestReading[]): number =>
  readings.reduce((total, { value = 0 }) => total + value, 0);

function valuesOf(held: readonly TestReading[], means: readonly number[]): (number | undefined)[] {
  const own = held.filter((each) => (each.metric ?? "a") === "a");
  const mean = own.length === 0 ? undefined : sum(own) / own.length;
  const cumulative = means.length === 0 ? undefined : means.reduce((a, b) => a + b, 0) / means.length;
  return [
    own.length,
    mean === undefined ? undefined : sum(own),
    own[0]?.value,
    mean === undefined || cumulative === undefined ? undefined : mean - cumulative,
  ];
}
