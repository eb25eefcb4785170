import type { Stateful } from "./function.ts";

/**
 * The window's mean minus that of the device's window before, the latest that had a reading of the input, per second
 * between their ends. 0 for a constant signal, smaller over a gap; undefined in the first window, without a reading, and
 * where the window before ends no earlier. The `slope` is within one window. Unit: the input's per second.
 *
 * State: whether there is a window before, its mean, its end.
 */
export const rateOfChange: Stateful = {
  name: "rate_of_change",
  kind: "stateful",
  summary:
    "The mean minus the mean of the window before, per second between their ends; none in the first window.",
  unit: "input/s",
  inputs: 1,
  doubles: () => 3,
  evaluate(input, state, { endUs }) {
    const [seen = 0, before = 0, beforeUs = 0] = state;
    const mean = input.mean();
    if (mean === undefined || seen === 0 || endUs <= beforeUs) return undefined;
    return ((mean - before) / (endUs - beforeUs)) * 1_000_000;
  },
  advance(input, state, { endUs }) {
    const mean = input.mean();
    if (mean !== undefined) state.set([1, mean, endUs]);
  },
};
