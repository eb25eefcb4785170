import { CHANGE_DOUBLES, CHANGE_SETTINGS, testForChange } from "./change-test.ts";
import type { Stateful } from "./function.ts";

/**
 * Whether the level has changed in this window by Page's two-sided test (1954), the sums of `cusum`: 1 upwards, -1
 * downwards, 0 not. 0 for a constant signal without a target; undefined in a window without a reading of the input.
 * Unit: 1. State: that of `testForChange`.
 */
export const changePoint: Stateful = {
  name: "change_point",
  kind: "stateful",
  summary:
    "1 where the cumulative sum upwards is above `threshold` in this window, -1 downwards, 0 otherwise.",
  unit: "1",
  inputs: 1,
  settings: CHANGE_SETTINGS,
  doubles: () => CHANGE_DOUBLES,
  evaluate(input, state, { settings }) {
    const mean = input.mean();
    return mean === undefined ? undefined : testForChange(state.slice(), mean, settings).change;
  },
  advance(input, state, { settings }) {
    const mean = input.mean();
    if (mean !== undefined) testForChange(state, mean, settings);
  },
};
