import type { Stateful } from "./function.ts";
import { smooth } from "./level.ts";

/**
 * The window's mean minus that of the device's window before, the latest that had a reading of the input; the same as
 * `deviation` from `previous`. 0 for a constant signal; undefined in the first window, without a reading, and where the
 * difference is beyond the largest double. Unit: the input's. State: the mean before, the number of windows.
 */
export const change: Stateful = {
  name: "change",
  kind: "stateful",
  summary: "The mean minus the mean of the window before; none in the first window.",
  unit: "input",
  inputs: 1,
  doubles: () => 2,
  evaluate(input, state) {
    const [before = 0, windows = 0] = state;
    const mean = input.mean();
    return mean === undefined || windows === 0 ? undefined : mean - before;
  },
  advance(input, state) {
    const mean = input.mean();
    if (mean !== undefined) smooth(state, mean, 1);
  },
};
