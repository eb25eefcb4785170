import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** A feature that cannot be an input, and why: it never has a value, always the same one, or one beyond all bounds. */
export interface DroppedFeature {
  readonly feature: string;
  readonly reason: "missing" | "constant" | "unbounded";
}

export interface Normalization {
  /** Names and columns of the features that stay, in the order of the view. */
  readonly inputs: readonly string[];
  readonly columns: readonly number[];
  readonly mean: Float64Array;
  /** Standard deviation, always positive. */
  readonly scale: Float64Array;
  readonly dropped: readonly DroppedFeature[];
}

/** A spread below this share of the mean is rounding, not measurement. */
const RELATIVE_SCALE_MIN = 1e-9;

/** Normalised values pass through single precision: a smaller scale would overflow it. */
const SCALE_MIN = 1e-30;

/**
 * Mean and standard deviation of each feature over the given rows, missing values left out.
 *
 * Throws PipelineError "training.no_inputs" where no feature is left.
 */
export function fitNormalization(
  values: Float64Array,
  features: readonly string[],
  rows: readonly number[],
): Normalization {
  const inputs: string[] = [];
  const columns: number[] = [];
  const mean: number[] = [];
  const scale: number[] = [];
  const dropped: DroppedFeature[] = [];
  for (const [column, feature] of features.entries()) {
    const spread = spreadOf(values, { column, width: features.length }, rows);
    if (typeof spread === "string") dropped.push({ feature, reason: spread });
    else {
      inputs.push(feature);
      columns.push(column);
      mean.push(spread.mean);
      scale.push(spread.scale);
    }
  }
  if (inputs.length === 0)
    throw new PipelineError("training.no_inputs", "no feature of the view varies over the healthy rows", {
      hint: dropped.map(({ feature, reason }) => `${feature}: ${reason}`).join(", "),
    });
  return { inputs, columns, mean: Float64Array.from(mean), scale: Float64Array.from(scale), dropped };
}

function spreadOf(
  values: Float64Array,
  { column, width }: { column: number; width: number },
  rows: readonly number[],
): { mean: number; scale: number } | DroppedFeature["reason"] {
  let count = 0;
  let sum = 0;
  for (const row of rows) {
    const value = values[row * width + column] ?? NaN;
    if (Number.isNaN(value)) continue;
    count++;
    sum += value;
  }
  if (count === 0) return "missing";
  const mean = sum / count;
  let squares = 0;
  for (const row of rows) {
    const value = values[row * width + column] ?? NaN;
    if (!Number.isNaN(value)) squares += (value - mean) ** 2;
  }
  const scale = Math.sqrt(squares / count);
  if (!Number.isFinite(scale)) return "unbounded";
  return scale <= Math.max(SCALE_MIN, RELATIVE_SCALE_MIN * Math.abs(mean)) ? "constant" : { mean, scale };
}

/** The given rows normalised, row-major with one column per input; a missing value is 0, the average. */
export function normalize(
  values: Float64Array,
  rows: readonly number[],
  normalization: Normalization & { readonly width: number },
): Float64Array {
  const { columns, mean, scale, width } = normalization;
  const normalized = new Float64Array(rows.length * columns.length);
  let position = 0;
  for (const row of rows)
    for (const [input, column] of columns.entries()) {
      const value = values[row * width + column] ?? NaN;
      normalized[position++] = Number.isNaN(value) ? 0 : (value - (mean[input] ?? 0)) / (scale[input] ?? 1);
    }
  return normalized;
}
