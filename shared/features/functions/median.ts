import type { OneInput } from "./function.ts";
import { quantileOf } from "./quantile.ts";

/** The middle value, or the mean of the two middle ones. Unit: the input's. */
export const median: OneInput = {
  name: "median",
  kind: "one input",
  summary: "The middle value, or the mean of the two middle ones.",
  unit: "input",
  evaluate: (input) => quantileOf(input, 0.5),
};
