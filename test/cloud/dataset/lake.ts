import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { Label } from "@sluice/shared/contract/label.ts";
import type { DatasetSpec } from "../../../cloud/dataset/dataset.ts";
import type { VectorSource, VectorTable } from "../../../cloud/dataset/source.ts";

export const SECOND_US = 1_000_000;

/** One vector; what is not said is the first revision, known when the window ends, of the only device. */
export interface Row {
  readonly startS: number;
  readonly endS?: number;
  readonly gateway?: string;
  readonly epoch?: string;
  readonly seq?: number;
  readonly device?: string;
  readonly revision?: number;
  readonly closedS?: number;
  readonly withheld?: boolean;
  readonly values?: readonly number[];
}

export const WINDOW_S = 10;

export const view: FeatureView = {
  name: "pump_health",
  entity: "device",
  owner: "test",
  description: "",
  match: { deviceType: "pump" },
  window: {
    kind: "hopping",
    sizeMs: WINDOW_S * 1_000,
    hopMs: 5_000,
    allowedLatenessMs: 0,
    correctionMs: 60_000,
  },
  inputs: { level: { metric: "level" } },
  features: [
    { name: "level_mean", fn: "mean", of: "level" },
    { name: "level_max", fn: "max", of: "level" },
  ],
  ttlMs: 600_000,
};

export function table(rows: readonly Row[]): VectorTable {
  const ends = rows.map((row) => row.endS ?? row.startS + WINDOW_S);
  return {
    gateway: rows.map((row) => row.gateway ?? "site-1"),
    epoch: rows.map((row) => row.epoch ?? "epoch-1"),
    seq: Float64Array.from(rows, (row, i) => row.seq ?? i),
    device: rows.map((row) => row.device ?? "pump-1"),
    windowStartUs: Float64Array.from(rows, (row) => row.startS * SECOND_US),
    windowEndUs: Float64Array.from(ends, (end) => end * SECOND_US),
    revision: Float64Array.from(rows, (row) => row.revision ?? 0),
    closedAtUs: Float64Array.from(rows, (row, i) => (row.closedS ?? ends[i] ?? 0) * SECOND_US),
    readingCount: Float64Array.from(rows, () => 10),
    withheld: Uint8Array.from(rows, (row) => Number(row.withheld === true)),
    values: Float64Array.from(rows.flatMap((row) => row.values ?? [row.startS, row.startS + 1])),
  };
}

/** A lake that gives everything it has, whatever it is asked for. */
export function lakeOf(rows: readonly Row[], labels: readonly Label[] = []): VectorSource {
  return {
    vectors: () => Promise.resolve(table(rows)),
    labels: () => Promise.resolve(labels),
  };
}

export function label(
  name: string,
  [fromS, toS]: readonly [number, number],
  more: Partial<Label> = {},
): Label {
  return {
    offset: 0,
    device: "pump-1",
    fromUs: fromS * SECOND_US,
    toUs: toS * SECOND_US,
    label: name,
    author: "operator",
    note: "",
    knownAtUs: toS * SECOND_US,
    ...more,
  };
}

/** `count` hopping windows of one device, from time 0. */
export const hops = (count: number): Row[] => Array.from({ length: count }, (_, i) => ({ startS: i * 5 }));

export const spec = (more: Partial<DatasetSpec> = {}): DatasetSpec => ({
  view,
  viewHash: "c".repeat(64),
  knownByUs: 100_000 * SECOND_US,
  historyHours: 1_000,
  assumeNormal: true,
  testShare: 0.3,
  ...more,
});
