import type { Stateful } from "./function.ts";
import { cumulate } from "./level.ts";

/**
 * The average of the means of all windows of the device up to and with this one, each window counting once. What
 * `deviation` is measured from is the same average without this window. The value itself for a constant signal; as
 * before in a window without a reading, and undefined before the first one with a reading. Unit: the input's.
 *
 * State: the cumulative mean, the number of windows in it.
 */
export const cumulativeMean: Stateful = {
  name: "cumulative_mean",
  kind: "stateful",
  summary: "The average of the means of all windows of the device so far, this one included.",
  unit: "input",
  inputs: 1,
  doubles: () => 2,
  evaluate(input, state) {
    const mean = input.mean();
    const next = state.slice();
    if (mean !== undefined) cumulate(next, mean);
    return next[1] === 0 ? undefined : next[0];
  },
  advance(input, state) {
    const mean = input.mean();
    if (mean !== undefined) cumulate(state, mean);
  },
};
