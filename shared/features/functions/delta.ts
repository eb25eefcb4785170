import type { OneInput } from "./function.ts";

/**
 * The latest value minus the earliest: of a counter, what it grew by. 0 for a constant; undefined for fewer than two
 * readings and where the difference is beyond the largest double. Unit: the input's.
 */
export const delta: OneInput = {
  name: "delta",
  kind: "one input",
  summary: "The latest value minus the earliest; from two readings on.",
  unit: "input",
  evaluate: (input) => (input.count < 2 ? undefined : input.value(input.count - 1) - input.value(0)),
};
