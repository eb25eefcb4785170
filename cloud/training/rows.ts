import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** What training needs of a training set: healthy rows in order of window end, `values` row-major, NaN missing. */
export interface HealthyRows {
  readonly count: number;
  readonly windowStartUs: Float64Array;
  readonly windowEndUs: Float64Array;
  readonly values: Float64Array;
}

/** Row numbers for each purpose, each in time order. */
export interface Slices {
  readonly fit: readonly number[];
  /** Later than `fit`, and never fitted on: says when to stop, and sets limits and threshold. */
  readonly heldOut: readonly number[];
  /** Rows across the border between the two: left out. */
  readonly purgedRows: number;
  /** Rows without any value: left out. */
  readonly emptyRows: number;
  /** Rows left out by the even selection over time. */
  readonly thinnedRows: number;
}

const FIT_SHARE = 0.7;

/** Fewest held-out rows: with fewer, a quantile of their scores says nothing. */
const HELD_OUT_ROWS_MIN = 20;

/**
 * Slices healthy rows by time: the first 70 % to fit, the rest held out.
 *
 * No reading is in both slices: windows across the border are left out. Throws PipelineError "training.too_few_rows",
 * "training.too_short" where the rows span too little time for two slices.
 */
export function sliceByTime(rows: HealthyRows, limits: { rowsMin: number; rowsMax: number }): Slices {
  const filled = rowsWithValues(rows);
  if (filled.length < limits.rowsMin)
    throw new PipelineError(
      "training.too_few_rows",
      `${filled.length} healthy rows with values, ${limits.rowsMin} are needed`,
      { hint: "Wait for more windows, or lower rowsMin." },
    );
  const chosen = thin(filled, limits.rowsMax);
  const borderUs = rows.windowEndUs[chosen[Math.ceil(chosen.length * FIT_SHARE) - 1] ?? -1] ?? NaN;
  const fit = chosen.filter((row) => (rows.windowEndUs[row] ?? NaN) <= borderUs);
  const heldOut = chosen.filter((row) => (rows.windowStartUs[row] ?? NaN) >= borderUs);
  if (heldOut.length < HELD_OUT_ROWS_MIN) throw tooShort(rows, chosen, heldOut.length);
  return {
    fit,
    heldOut,
    purgedRows: chosen.length - fit.length - heldOut.length,
    emptyRows: rows.count - filled.length,
    thinnedRows: filled.length - chosen.length,
  };
}

function rowsWithValues(rows: HealthyRows): readonly number[] {
  const width = rows.count === 0 ? 0 : rows.values.length / rows.count;
  const filled: number[] = [];
  for (let row = 0; row < rows.count; row++)
    if (rows.values.subarray(row * width, (row + 1) * width).some((value) => !Number.isNaN(value)))
      filled.push(row);
  return filled;
}

/** Every n-th of the rows, evenly over their order, so that all of the history is in it. */
function thin(rows: readonly number[], rowsMax: number): readonly number[] {
  if (rows.length <= rowsMax) return rows;
  return Array.from({ length: rowsMax }, (_, i) => rows[Math.floor((i * rows.length) / rowsMax)] ?? 0);
}

function tooShort(rows: HealthyRows, chosen: readonly number[], heldOutRows: number): PipelineError {
  const first = chosen[0] ?? 0;
  const last = chosen.at(-1) ?? 0;
  const spanS = ((rows.windowEndUs[last] ?? 0) - (rows.windowStartUs[first] ?? 0)) / 1_000_000;
  const windowS = ((rows.windowEndUs[first] ?? 0) - (rows.windowStartUs[first] ?? 0)) / 1_000_000;
  return new PipelineError(
    "training.too_short",
    `${chosen.length} healthy rows span ${spanS} s with windows of ${windowS} s: ${heldOutRows} rows are left to ` +
      `set the threshold on, ${HELD_OUT_ROWS_MIN} are needed`,
    { hint: "Wait for a longer healthy time, or use shorter windows." },
  );
}
