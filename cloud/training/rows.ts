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
  /** Later than `fit`: stops the fitting and sets the linear model's limits. */
  readonly validation: readonly number[];
  /** Later still: sets the threshold. */
  readonly calibration: readonly number[];
  /** Rows across the end of `fit`: left out. */
  readonly purgedRows: number;
  /** Rows without any value: left out. */
  readonly emptyRows: number;
  /** Rows left out by the even selection over time. */
  readonly thinnedRows: number;
}

const FIT_SHARE = 0.7;

/** Fewest rows of a held-out slice: with fewer, a quantile of their scores says nothing. */
const HELD_OUT_ROWS_MIN = 10;

/**
 * Slices healthy rows by time: the first 70 % to fit, the rest to validate and to calibrate, half and half.
 *
 * No reading is both in `fit` and in a later slice: windows across the border are left out. Between validation and
 * calibration there is no such gap, because neither is fitted on.
 * Throws PipelineError "training.too_few_rows", "training.too_short" where the rows span too little time for that.
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
  const startUs = (row: number): number => rows.windowStartUs[row] ?? NaN;
  const endUs = (row: number): number => rows.windowEndUs[row] ?? NaN;
  const cutAt = (among: readonly number[], share: number): number =>
    endUs(among[Math.max(0, Math.ceil(among.length * share) - 1)] ?? -1);

  const fitUntilUs = cutAt(chosen, FIT_SHARE);
  const fit = chosen.filter((row) => endUs(row) <= fitUntilUs);
  const later = chosen.filter((row) => startUs(row) >= fitUntilUs);
  const validateUntilUs = cutAt(later, 0.5);
  const validation = later.filter((row) => endUs(row) <= validateUntilUs);
  const calibration = later.filter((row) => endUs(row) > validateUntilUs);
  if (Math.min(validation.length, calibration.length) < HELD_OUT_ROWS_MIN)
    throw tooShort(rows, chosen, later.length);
  return {
    fit,
    validation,
    calibration,
    purgedRows: chosen.length - fit.length - later.length,
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

function tooShort(rows: HealthyRows, chosen: readonly number[], laterRows: number): PipelineError {
  const first = chosen[0] ?? 0;
  const last = chosen.at(-1) ?? 0;
  const spanS = ((rows.windowEndUs[last] ?? 0) - (rows.windowStartUs[first] ?? 0)) / 1_000_000;
  const windowS = ((rows.windowEndUs[first] ?? 0) - (rows.windowStartUs[first] ?? 0)) / 1_000_000;
  return new PipelineError(
    "training.too_short",
    `${chosen.length} healthy rows span ${spanS} s with windows of ${windowS} s: ${laterRows} rows are left to ` +
      `validate and calibrate on, ${2 * HELD_OUT_ROWS_MIN} are needed`,
    { hint: "Wait for a longer healthy time, or use shorter windows." },
  );
}
