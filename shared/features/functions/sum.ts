import type { OneInput } from "./function.ts";

/**
 * The sum Σx, compensated (Neumaier 1974): 1 + 1e100 - 1e100 is 1. Undefined without a reading and where the sum is
 * beyond the largest double. Unit: the input's.
 */
export const sum: OneInput = {
  name: "sum",
  kind: "one input",
  summary: "The sum of the values, Σx, compensated.",
  unit: "input",
  evaluate: (input) => input.sum(),
};
