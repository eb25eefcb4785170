import type { OneInput } from "./function.ts";

/**
 * The latest value by event time, then arrival, to the bit, of whatever magnitude. Undefined without a reading. Unit: the
 * input's.
 */
export const last: OneInput = {
  name: "last",
  kind: "one input",
  summary: "The latest value by event time.",
  unit: "input",
  evaluate: (input) => (input.count === 0 ? undefined : input.value(input.count - 1)),
};
