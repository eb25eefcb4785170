/** The smallest value that at least `share` of all values do not exceed; NaN of none. For few values the largest. */
export const quantile = (values: Float64Array, share: number): number =>
  quantileOfSorted(Float64Array.from(values).sort(), share);

/** As `quantile`, of values in ascending order. */
export const quantileOfSorted = (sorted: Float64Array, share: number): number =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
