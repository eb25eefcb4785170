import type { OneInput } from "./function.ts";

/**
 * The arithmetic mean, Σx / n, by a compensated sum (Neumaier 1974), which a sum beyond the largest double does not
 * spoil. Exactly the value of a constant and of a single reading; undefined without one. Unit: the input's.
 */
export const mean: OneInput = {
  name: "mean",
  kind: "one input",
  summary: "The arithmetic mean, Σx / n.",
  unit: "input",
  evaluate: (input) => input.mean(),
};
