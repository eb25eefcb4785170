import type { OneInput } from "./function.ts";
import { largestMagnitude } from "./peak.ts";
import { scaledRms } from "./rms.ts";

/**
 * Peak over root mean square, max |x| / √(Σx² / n) (ISO 2041): 1 for a constant and for a single reading, √2 for a sine,
 * the same however large or small the signal. Undefined where all is 0 and without a reading. Unit: 1.
 */
export const crestFactor: OneInput = {
  name: "crest_factor",
  kind: "one input",
  summary: "Peak over root mean square; none where all is 0.",
  unit: "1",
  evaluate(input) {
    const [peak, rms] = [largestMagnitude(input), scaledRms(input)];
    return peak === undefined || rms === undefined || rms === 0 ? undefined : (peak * input.scale) / rms;
  },
};
