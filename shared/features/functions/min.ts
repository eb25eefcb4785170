import type { OneInput } from "./function.ts";

/** The smallest value, to the bit, of whatever magnitude; undefined without a reading. Unit: the input's. */
export const min: OneInput = {
  name: "min",
  kind: "one input",
  summary: "The smallest value.",
  unit: "input",
  evaluate: (input) => input.min(),
};
