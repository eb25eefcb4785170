import { numberOf, type Stateful } from "./function.ts";
import { bounded, smooth } from "./level.ts";

/** Takes a window's mean x into the variance: (1 - alpha) · (v + alpha · (x - m)²), with m the average before it. */
function take(state: Float64Array, mean: number, alpha: number): void {
  const [level = 0, windows = 0, variance = 0] = state;
  const distance = mean - level;
  state[2] = windows === 0 ? 0 : (1 - alpha) * bounded(variance + alpha * distance * distance);
  smooth(state, mean, alpha);
}

/**
 * The exponential variance of the means of the device's windows around their exponential average, this one included
 * (Finch 2009): how much the windows have scattered of late. 0 in the first window and for a constant signal, at most
 * the largest double; as before in a window without a reading, and undefined before the first one with a reading.
 * Unit: the input's, squared.
 *
 * State: the average, the number of windows in it, the variance.
 */
export const exponentialVariance: Stateful = {
  name: "exponential_variance",
  kind: "stateful",
  summary:
    "The exponential variance of the windows' means with weight `alpha` for the newest, this one included.",
  unit: "input^2",
  inputs: 1,
  settings: { alpha: { min: 1e-6, max: 1 } },
  doubles: () => 3,
  evaluate(input, state, { settings }) {
    const mean = input.mean();
    const next = state.slice();
    if (mean !== undefined) take(next, mean, numberOf(settings, "alpha"));
    return next[1] === 0 ? undefined : next[2];
  },
  advance(input, state, { settings }) {
    const mean = input.mean();
    if (mean !== undefined) take(state, mean, numberOf(settings, "alpha"));
  },
};
