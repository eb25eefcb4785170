import type { TwoInputs } from "./function.ts";

/** The mean of the first input minus the mean of the second. Unit: the inputs', which must be the same. */
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
