import type { TwoInputs } from "./function.ts";

/**
 * The mean of the first input over the mean of the second; their readings need not have the same times. Undefined where
 * that is 0, where one input has no reading, and where it is beyond the largest double. Unit: the first's per the
 * second's.
 */
export const ratio: TwoInputs = {
  name: "ratio",
  kind: "two inputs",
  summary: "The mean of the first input over the mean of the second; none where that is 0.",
  unit: "input/other",
  evaluate(first, second) {
    const [above, below] = [first.mean(), second.mean()];
    return above === undefined || below === undefined || below === 0 ? undefined : above / below;
  },
};
