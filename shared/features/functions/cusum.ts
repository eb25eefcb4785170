import { CHANGE_DOUBLES, CHANGE_SETTINGS, testForChange } from "./change-test.ts";
import { oneOf, type Stateful } from "./function.ts";

/**
 * The cumulative sum of Page's test for a change of the level (1954), after this window: what the means of the windows
 * since the last change are off their `target`, or their own average, beyond `drift` each. `side` says whether upwards,
 * downwards or the larger of both. Above `threshold` it is a change point, and the sum begins anew in the next window.
 *
 * 0 for a constant signal without a target and in the first window; undefined in a window without a reading of the
 * input, which the sums pass over. Unit: the input's. State: that of `testForChange`.
 */
export const cusum: Stateful = {
  name: "cusum",
  kind: "stateful",
  summary:
    "Page's cumulative sum of what the windows' means are off `target` (else their average since the last change) beyond `drift`; it begins anew after it was above `threshold`.",
  unit: "input",
  inputs: 1,
  settings: { ...CHANGE_SETTINGS, side: oneOf(["up", "down", "both"], "both") },
  doubles: () => CHANGE_DOUBLES,
  evaluate(input, state, { settings }) {
    const mean = input.mean();
    if (mean === undefined) return undefined;
    const { up, down } = testForChange(state.slice(), mean, settings);
    const { side } = settings;
    return side === "up" ? up : side === "down" ? down : Math.max(up, down);
  },
  advance(input, state, { settings }) {
    const mean = input.mean();
    if (mean !== undefined) testForChange(state, mean, settings);
  },
};
