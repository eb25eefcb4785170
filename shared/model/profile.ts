import type { FeatureProfile } from "../contract/bundle.ts";

/** By how much of the width of the training range, on each side, a value may leave it. */
const MARGIN = 0.5;

/**
 * Says which inputs of a row have values that the model has not seen the like of: below the first or above the last
 * quantile of its training rows by more than half of the distance between the two. A missing value is not judged, and
 * an input that was constant in training is left by any other value.
 *
 * It flags, and does not withhold: what a model of anomalies is for lies outside.
 */
export class TrainingRange {
  readonly #low: Float64Array;
  readonly #high: Float64Array;

  constructor(profile: readonly FeatureProfile[]) {
    const bounds = profile.map(({ quantiles }) => {
      const [low = Number.NaN, high = Number.NaN] = [quantiles[0], quantiles.at(-1)];
      // Each side by itself: the width of a range of the largest doubles overflows.
      const margin = high * MARGIN - low * MARGIN;
      return [low - margin, high + margin] as const;
    });
    this.#low = Float64Array.from(bounds, ([low]) => low);
    this.#high = Float64Array.from(bounds, ([, high]) => high);
  }

  /** Calls back with the place of each input whose value is outside. */
  outside(row: ArrayLike<number | undefined>, found: (input: number) => void): void {
    for (let i = 0; i < this.#low.length; i++) {
      const value = row[i];
      if (value === undefined) continue;
      if (value < (this.#low[i] ?? -Infinity) || value > (this.#high[i] ?? Infinity)) found(i);
    }
  }
}
