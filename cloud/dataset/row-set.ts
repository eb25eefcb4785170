import { NORMAL_LABEL } from "@sluice/shared/contract/label.ts";
import type { VectorTable } from "./source.ts";

/** Rows of a training set by column, in order of window end, gateway, device; `values` row-major, NaN where missing. */
export interface RowSet {
  readonly count: number;
  readonly gateway: readonly string[];
  readonly device: readonly string[];
  readonly windowStartUs: Float64Array;
  readonly windowEndUs: Float64Array;
  readonly values: Float64Array;
  /** The label that overlaps the window; undefined where none does and the row was assumed to be healthy. */
  readonly label: readonly (string | undefined)[];
  /** 1 where the label names a fault. */
  readonly anomalous: Uint8Array;
}

/** Copies the given rows of a table. Every NaN becomes the same NaN, so that equal rows have equal bytes. */
export function gatherRows(
  table: VectorTable,
  rows: readonly number[],
  labelOf: (row: number) => string | undefined,
): RowSet {
  const width = table.seq.length === 0 ? 0 : table.values.length / table.seq.length;
  const values = new Float64Array(rows.length * width);
  for (const [target, row] of rows.entries())
    for (let column = 0; column < width; column++) {
      const value = table.values[row * width + column] ?? NaN;
      values[target * width + column] = Number.isNaN(value) ? NaN : value;
    }
  const label = rows.map(labelOf);
  return {
    count: rows.length,
    gateway: rows.map((row) => table.gateway[row] ?? ""),
    device: rows.map((row) => table.device[row] ?? ""),
    windowStartUs: Float64Array.from(rows, (row) => table.windowStartUs[row] ?? NaN),
    windowEndUs: Float64Array.from(rows, (row) => table.windowEndUs[row] ?? NaN),
    values,
    label,
    anomalous: Uint8Array.from(label, (name) => (name === undefined || name === NORMAL_LABEL ? 0 : 1)),
  };
}
