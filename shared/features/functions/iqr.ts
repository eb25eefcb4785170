import type { OneInput } from "./function.ts";
import { quantileOf } from "./quantile.ts";

/**
 * The interquartile range, the quantile at 0.75 minus that at 0.25 (type 7 of Hyndman & Fan 1996): 0 for a constant and
 * for a single reading. Undefined without a reading and where the difference is beyond the largest double. Unit: the
 * input's.
 */
export const iqr: OneInput = {
  name: "iqr",
  kind: "one input",
  summary: "The interquartile range: the quantile at 0.75 minus that at 0.25.",
  unit: "input",
  evaluate(input) {
    const [high, low] = [quantileOf(input, 0.75), quantileOf(input, 0.25)];
    return high === undefined || low === undefined ? undefined : high - low;
  },
};
