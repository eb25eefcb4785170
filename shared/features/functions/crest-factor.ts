import type { OneInput } from "./function.ts";
import { largestMagnitude } from "./peak.ts";
import { scaledRms } from "./rms.ts";

/** Peak over root mean square: 1 for a constant, √2 for a sine (ISO 2041). Undefined where all is 0. Unit: 1. */
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
