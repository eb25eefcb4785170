import type { OneInput } from "./function.ts";
import { scaledMeanMagnitude } from "./magnitude.ts";
import { largestMagnitude } from "./peak.ts";

/**
 * Peak over mean magnitude, max |x| / (Σ|x| / n), which rises with single shocks (Lei, He & Zi 2008): 1 for a constant
 * and for a single reading, π / 2 for a sine. Undefined where all is 0 and without a reading. Unit: 1.
 */
export const impulseFactor: OneInput = {
  name: "impulse_factor",
  kind: "one input",
  summary: "Peak over mean magnitude; none where all is 0.",
  unit: "1",
  evaluate(input) {
    const [peak, mean] = [largestMagnitude(input), scaledMeanMagnitude(input)];
    return peak === undefined || mean === undefined || mean === 0 ? undefined : (peak * input.scale) / mean;
  },
};
