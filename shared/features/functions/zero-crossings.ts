import type { OneInput } from "./function.ts";

/**
 * How often the sign changes from one reading to the next (Kedem 1986); a reading of exactly 0 has no sign and is passed
 * over, a denormal has one. 0 for a constant and for a single reading; undefined without one. Unit: 1.
 */
export const zeroCrossings: OneInput = {
  name: "zero_crossings",
  kind: "one input",
  summary: "How often the sign changes from one reading to the next; zeros are passed over.",
  unit: "1",
  evaluate(input) {
    return input.count === 0 ? undefined : input.signChanges();
  },
};
