import type { OneInput } from "./function.ts";

/** The number of readings; 0 where there is none. What the values are does not matter. Unit: 1. */
export const count: OneInput = {
  name: "count",
  kind: "one input",
  summary: "The number of readings; 0 where there is none.",
  unit: "1",
  evaluate: (input) => input.count,
};
