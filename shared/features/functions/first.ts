import type { OneInput } from "./function.ts";

/**
 * The earliest value by event time, then arrival, to the bit, of whatever magnitude. Undefined without a reading. Unit:
 * the input's.
 */
export const first: OneInput = {
  name: "first",
  kind: "one input",
  summary: "The earliest value by event time.",
  unit: "input",
  evaluate: (input) => (input.count === 0 ? undefined : input.value(0)),
};
