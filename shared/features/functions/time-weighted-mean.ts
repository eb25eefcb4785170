import type { OneInput } from "./function.ts";
import { scaledArea, spanUsOf } from "./trapezoid.ts";

/**
 * The trapezoidal integral over the span from the first reading to the last one: the mean of a signal that is sampled
 * unevenly. Exactly the value of a constant; the arithmetic mean where all readings have one time, as a single reading
 * has. Across a gap the straight line counts. Undefined without a reading. Unit: the input's.
 */
export const timeWeightedMean: OneInput = {
  name: "time_weighted_mean",
  kind: "one input",
  summary: "The mean over time: the trapezoidal integral over the span from the first reading to the last.",
  unit: "input",
  evaluate(input) {
    const [min, max, spanUs] = [input.min(), input.max(), spanUsOf(input)];
    if (min === undefined || max === undefined) return undefined;
    if (spanUs === 0) return input.mean();
    return Math.min(Math.max(scaledArea(input) / spanUs / input.scale, min), max);
  },
};
