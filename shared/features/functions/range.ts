import type { OneInput } from "./function.ts";

/**
 * The largest minus the smallest value: peak to peak (ISO 2041). 0 for a constant and for a single reading; undefined
 * without a reading and where the difference is beyond the largest double. Unit: the input's.
 */
export const range: OneInput = {
  name: "range",
  kind: "one input",
  summary: "The largest minus the smallest value.",
  unit: "input",
  evaluate(input) {
    const [min, max] = [input.min(), input.max()];
    return min === undefined || max === undefined ? undefined : max - min;
  },
};
