import type { OneInput } from "./function.ts";
import { scaledMeanMagnitude } from "./magnitude.ts";
import { scaledRms } from "./rms.ts";

/**
 * Root mean square over mean magnitude, √(Σx² / n) / (Σ|x| / n) (ISO 2041 calls it the form factor): 1 for a constant
 * and for a single reading, π / (2√2) for a sine. Undefined where all is 0 and without a reading. Unit: 1.
 */
export const shapeFactor: OneInput = {
  name: "shape_factor",
  kind: "one input",
  summary: "Root mean square over mean magnitude; none where all is 0.",
  unit: "1",
  evaluate(input) {
    const [rms, mean] = [scaledRms(input), scaledMeanMagnitude(input)];
    return rms === undefined || mean === undefined || mean === 0 ? undefined : rms / mean;
  },
};
