import type { TwoInputs } from "./function.ts";

/**
 * The mean of the first input minus the mean of the second; their readings need not have the same times. 0 for one
 * constant on both sides; undefined where one input has no reading, and beyond the largest double. Unit: the inputs',
 * which must be the same.
 */
export const difference: TwoInputs = {
  name: "difference",
  kind: "two inputs",
  summary: "The mean of the first input minus the mean of the second, which must have its unit.",
  unit: "input",
  alike: true,
  evaluate(first, second) {
    const [from, subtracted] = [first.mean(), second.mean()];
    return from === undefined || subtracted === undefined ? undefined : from - subtracted;
  },
};
