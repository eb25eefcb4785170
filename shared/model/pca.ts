/** T² and Q of one row, each against its limit, and what each input added to the larger of the two. */
export interface Pca {
  /** Fills `parts` (non-negative, one per input) and returns max(T² / t2Limit, Q / qLimit). Allocates nothing. */
  run(input: Float64Array, parts: Float64Array): number;
}

export interface PcaShape {
  readonly components: number;
  readonly t2Limit: number;
  readonly qLimit: number;
}

/** How many weights PCA takes: the components [components x inputs], then their variances. */
export const pcaWeightCount = (components: number, inputs: number): number =>
  components * inputs + components;

/**
 * Prepares principal components for scoring (Jackson & Mudholkar 1979).
 *
 * T² is the sum over the components of t² / variance, Q the squared length of what the components leave over.
 *
 * `parts` of Q are the squared residuals; they add up to Q. `parts` of T² are the complete decomposition
 * contributions (Alcala & Qin 2009): part j is the square of the sum over the components of p_j t / √variance. They are
 * never negative and add up to T² where the components are orthonormal.
 */
export function createPca(
  { components, t2Limit, qLimit }: PcaShape,
  inputs: number,
  weights: Float32Array,
): Pca {
  const expected = pcaWeightCount(components, inputs);
  if (weights.length !== expected)
    throw new RangeError(
      `${components} components of ${inputs} inputs take ${expected} weights, got ${weights.length}`,
    );
  const loadings = weights.slice(0, components * inputs);
  const variances = weights.slice(components * inputs);
  const projections = new Float64Array(components);
  const scaled = new Float64Array(components);
  const residuals = new Float64Array(inputs);
  return {
    run(input, parts) {
      let t2 = 0;
      for (let k = 0; k < components; k++) {
        let t = 0;
        for (let j = 0; j < inputs; j++) t += (loadings[k * inputs + j] ?? 0) * (input[j] ?? 0);
        projections[k] = t;
        scaled[k] = t / Math.sqrt(variances[k] ?? 1);
        t2 += (scaled[k] ?? 0) ** 2;
      }
      const q = reconstruct(loadings, projections, input, residuals);
      const t2Ratio = t2 / t2Limit;
      const qRatio = q / qLimit;
      if (qRatio >= t2Ratio) for (let j = 0; j < inputs; j++) parts[j] = (residuals[j] ?? 0) ** 2;
      else combine(loadings, scaled, parts);
      return Math.max(t2Ratio, qRatio);
    },
  };
}

/** Fills `residuals` with what the components leave of the input and returns their squared length. */
function reconstruct(
  loadings: Float32Array,
  projections: Float64Array,
  input: Float64Array,
  residuals: Float64Array,
): number {
  const inputs = residuals.length;
  let q = 0;
  for (let j = 0; j < inputs; j++) {
    let residual = input[j] ?? 0;
    for (let k = 0; k < projections.length; k++)
      residual -= (loadings[k * inputs + j] ?? 0) * (projections[k] ?? 0);
    residuals[j] = residual;
    q += residual ** 2;
  }
  return q;
}

function combine(loadings: Float32Array, scaled: Float64Array, parts: Float64Array): void {
  const inputs = parts.length;
  for (let j = 0; j < inputs; j++) {
    let sum = 0;
    for (let k = 0; k < scaled.length; k++) sum += (loadings[k * inputs + j] ?? 0) * (scaled[k] ?? 0);
    parts[j] = sum ** 2;
  }
}
