/** What evaluation needs of a test set: rows with their truth, `values` row-major with the view's features, NaN missing. */
export interface TestRows {
  readonly count: number;
  readonly gateway: readonly string[];
  readonly device: readonly string[];
  readonly windowStartUs: Float64Array;
  readonly windowEndUs: Float64Array;
  readonly values: Float64Array;
  /** 1 where a fault label overlaps the window. */
  readonly anomalous: Uint8Array;
}

/** Row numbers of each device, each in order of window end. */
export function rowsByDevice(rows: TestRows): readonly (readonly number[])[] {
  const all = Array.from({ length: rows.count }, (_, row) => row);
  const groups = Map.groupBy(all, (row) => `${rows.gateway[row] ?? ""}\n${rows.device[row] ?? ""}`);
  const endUs = (row: number): number => rows.windowEndUs[row] ?? 0;
  return [...groups.values()].map((own) => own.toSorted((a, b) => endUs(a) - endUs(b)));
}
