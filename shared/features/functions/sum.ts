import type { OneInput } from "./function.ts";

/** The sum Σx, compensated (Neumaier 1974). Undefined without a reading. Unit: the input's. */
export const sum: OneInput = {
  name: "sum",
  kind: "one input",
  summary: "The sum of the values, Σx, compensated.",
  unit: "input",
  evaluate: (input) => input.sum(),
};
