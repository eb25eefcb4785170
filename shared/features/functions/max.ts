import type { OneInput } from "./function.ts";

/** The largest value, to the bit, of whatever magnitude; undefined without a reading. Unit: the input's. */
export const max: OneInput = {
  name: "max",
  kind: "one input",
  summary: "The largest value.",
  unit: "input",
  evaluate: (input) => input.max(),
};
