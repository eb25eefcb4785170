import type { OneInput } from "./function.ts";
import { quantileOf } from "./quantile.ts";

/**
 * The middle value in order, or the mean of the two middle ones (type 7 of Hyndman & Fan 1996 at 0.5). Exactly the value
 * of a constant and of a single reading; undefined without one. Unit: the input's.
 */
export const median: OneInput = {
  name: "median",
  kind: "one input",
  summary: "The middle value, or the mean of the two middle ones.",
  unit: "input",
  evaluate: (input) => quantileOf(input, 0.5),
};
