import type { Samples } from "../samples.ts";
import type { OneInput } from "./function.ts";

/** The largest magnitude; undefined without a reading. */
export function largestMagnitude(input: Samples): number | undefined {
  const [min, max] = [input.min(), input.max()];
  return min === undefined || max === undefined ? undefined : Math.max(Math.abs(min), Math.abs(max));
}

/**
 * The largest magnitude, max |x| (ISO 2041), to the bit, of whatever magnitude. Undefined without a reading. Unit: the
 * input's.
 */
export const peak: OneInput = {
  name: "peak",
  kind: "one input",
  summary: "The largest magnitude, max |x|.",
  unit: "input",
  evaluate: largestMagnitude,
};
