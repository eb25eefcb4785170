import { eigenSymmetric } from "./eigen.ts";
import { quantile } from "./quantile.ts";

/** A fitted linear model. `weights` as in the bundle: the components [components x inputs], then their variances. */
export interface PcaFit {
  readonly components: number;
  readonly weights: Float32Array;
  readonly t2Limit: number;
  readonly qLimit: number;
  /** Share of the variance that the components explain. */
  readonly explained: number;
}

export interface PcaOptions {
  /** Number of inputs: columns of both matrices. */
  readonly inputs: number;
  /** Share of the variance that the components must explain. */
  readonly variance: number;
  /** Quantile of T² and Q over the held-out rows that becomes their limit. */
  readonly limitQuantile: number;
}

/** A direction with less than this share of the variance is rounding; dividing by it would blow T² up. */
const VARIANCE_SHARE_MIN = 1e-10;

/**
 * Principal components of normalised rows (`fitted`), with limits for T² and Q from later, held-out rows.
 *
 * At least one direction is left to Q where there are two inputs or more, so that a broken correlation always shows
 * there. The limits are quantiles and not Jackson & Mudholkar's formula: sensor features are not normal, and windows of
 * one device are not independent. They only weigh T² against Q; the threshold is calibrated on their maximum. Pure.
 */
export function fitPca(fitted: Float64Array, heldOut: Float64Array, options: PcaOptions): PcaFit {
  const { inputs } = options;
  const { values, vectors } = eigenSymmetric(covariance(fitted, inputs), inputs);
  const total = values.reduce((sum, value) => sum + Math.max(0, value), 0);
  let components = 0;
  let explained = 0;
  const most = Math.max(1, inputs - 1);
  while (components < most && (components === 0 || explained < options.variance)) {
    const share = (values[components] ?? 0) / total;
    if (components > 0 && share < VARIANCE_SHARE_MIN) break;
    explained += share;
    components++;
  }
  const weights = new Float32Array(components * inputs + components);
  weights.set(vectors.subarray(0, components * inputs));
  weights.set(values.subarray(0, components), components * inputs);
  const { t2, q } = statistics(heldOut, { inputs, components, weights });
  return {
    components,
    weights,
    t2Limit: limitOf(t2, options.limitQuantile),
    qLimit: limitOf(q, options.limitQuantile),
    explained,
  };
}

/** A statistic that is zero on every row (Q of a single input) gets the limit 1: it then never decides. */
function limitOf(statistic: Float64Array, share: number): number {
  const limit = quantile(statistic, share);
  return limit > 1e-12 ? limit : 1;
}

function covariance(rows: Float64Array, n: number): Float64Array {
  const count = rows.length / n;
  const matrix = new Float64Array(n * n);
  for (let row = 0; row < count; row++)
    for (let i = 0; i < n; i++) {
      const value = rows[row * n + i] ?? 0;
      for (let j = i; j < n; j++)
        matrix[i * n + j] = (matrix[i * n + j] ?? 0) + value * (rows[row * n + j] ?? 0);
    }
  for (let i = 0; i < n; i++)
    for (let j = i; j < n; j++) {
      const value = (matrix[i * n + j] ?? 0) / count;
      matrix[i * n + j] = value;
      matrix[j * n + i] = value;
    }
  return matrix;
}

function statistics(
  rows: Float64Array,
  { inputs, components, weights }: { inputs: number; components: number; weights: Float32Array },
): { t2: Float64Array; q: Float64Array } {
  const count = rows.length / inputs;
  const t2 = new Float64Array(count);
  const q = new Float64Array(count);
  const residual = new Float64Array(inputs);
  const projection = new Float64Array(components);
  for (let row = 0; row < count; row++) {
    residual.set(rows.subarray(row * inputs, (row + 1) * inputs));
    for (let k = 0; k < components; k++) {
      let sum = 0;
      for (let j = 0; j < inputs; j++) sum += (weights[k * inputs + j] ?? 0) * (rows[row * inputs + j] ?? 0);
      projection[k] = sum;
    }
    for (let k = 0; k < components; k++) {
      const t = projection[k] ?? 0;
      t2[row] = (t2[row] ?? 0) + t ** 2 / (weights[components * inputs + k] ?? 1);
      for (let j = 0; j < inputs; j++) residual[j] = (residual[j] ?? 0) - t * (weights[k * inputs + j] ?? 0);
    }
    q[row] = residual.reduce((sum, value) => sum + value ** 2, 0);
  }
  return { t2, q };
}
