import type { Stateful } from "./function.ts";

/**
 * The window's mean minus the cumulative mean: the average of the means of all earlier windows of the device, each
 * window counting once. Undefined in the device's first window. Unit: the input's.
 *
 * "Earlier" is by closing: the cumulative mean takes each window's mean once, as it was when the window first
 * closed. A revision compares its corrected mean with the cumulative mean of then and changes no later window; a
 * window that closed without a reading and got one late never joins it.
 *
 * State: the cumulative mean, the number of windows in it.
 */
export const deviation: Stateful = {
  name: "deviation",
  kind: "stateful",
  doubles: 2,
  evaluate(input, state) {
    const [cumulative = 0, windows = 0] = state;
    const mean = input.mean();
    return mean === undefined || windows === 0 ? undefined : mean - cumulative;
  },
  advance(input, state) {
    const [cumulative = 0, windows = 0] = state;
    const mean = input.mean();
    if (mean === undefined) return;
    const count = windows + 1;
    const next = cumulative + (mean - cumulative) / count;
    state[0] = Number.isFinite(next) ? next : cumulative * (windows / count) + mean / count;
    state[1] = count;
  },
};
