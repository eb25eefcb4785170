import type { OneInput } from "./function.ts";

/** The number of readings; 0 where there is none. Unit: 1. */
export const count: OneInput = {
  name: "count",
  kind: "one input",
  evaluate: (input) => input.count,
};
