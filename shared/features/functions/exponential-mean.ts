import { numberOf, type Stateful } from "./function.ts";
import { smooth } from "./level.ts";

/**
 * The exponential average of the means of the device's windows, this one included, m + alpha · (x - m) from the first
 * mean on (Roberts 1959): with `alpha` 0.1, about the last ten to twenty windows. The value itself for a constant
 * signal; as before in a window without a reading, and undefined before the first one with a reading. Unit: the input's.
 *
 * State: the average, the number of windows in it.
 */
export const exponentialMean: Stateful = {
  name: "exponential_mean",
  kind: "stateful",
  summary:
    "The exponential average of the windows' means with weight `alpha` for the newest, this one included.",
  unit: "input",
  inputs: 1,
  settings: { alpha: { min: 1e-6, max: 1 } },
  doubles: () => 2,
  evaluate(input, state, { settings }) {
    const mean = input.mean();
    const next = state.slice();
    if (mean !== undefined) smooth(next, mean, numberOf(settings, "alpha"));
    return next[1] === 0 ? undefined : next[0];
  },
  advance(input, state, { settings }) {
    const mean = input.mean();
    if (mean !== undefined) smooth(state, mean, numberOf(settings, "alpha"));
  },
};
