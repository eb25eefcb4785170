import { numberOf, oneOf, type Call, type FunctionSettings, type Stateful } from "./function.ts";
import { cumulate, smooth } from "./level.ts";

const LEVELS = ["cumulative_mean", "exponential_mean", "previous", "first_windows"];

/** Takes a window's mean into the level that the deviation is measured from. */
function take(state: Float64Array, mean: number, settings: FunctionSettings): void {
  const { from } = settings;
  if (from === "previous") smooth(state, mean, 1);
  else if (from === "exponential_mean") smooth(state, mean, numberOf(settings, "alpha"));
  else if (from !== "first_windows" || (state[1] ?? 0) < numberOf(settings, "windows")) cumulate(state, mean);
}

/**
 * The window's mean minus the level of the device's earlier windows, each counting once by its mean. Unit: the input's.
 *
 * `from` says which level: `cumulative_mean` (where nothing is said), the average of all earlier windows;
 * `exponential_mean`, their exponential average with `alpha`; `previous`, the window before; `first_windows`, the
 * average of the device's first `windows` ones, which is what it was like when it was new.
 *
 * "Earlier" is by closing: the level takes each window's mean once, as it was when the window first closed. A revision
 * compares its corrected mean with the level of then and changes no later window; a window that closed without a
 * reading and got one late never joins it. Undefined in the device's first window and without a reading, 0 for a
 * constant signal; a difference beyond the largest double is undefined, and the level survives it.
 *
 * State: the level, the number of windows in it.
 */
export const deviation: Stateful = {
  name: "deviation",
  kind: "stateful",
  summary:
    "The mean minus the level of the device's earlier windows, by `from`: cumulative_mean, exponential_mean (with `alpha`), previous, first_windows (the first `windows`); none in the first window.",
  unit: "input",
  inputs: 1,
  settings: {
    from: oneOf(LEVELS, "cumulative_mean"),
    alpha: { min: 1e-6, max: 1, optional: true },
    windows: { min: 1, max: 1_000_000, whole: true, optional: true },
  },
  refuse(settings) {
    const { from } = settings;
    for (const [name, level] of [
      ["alpha", "exponential_mean"],
      ["windows", "first_windows"],
    ] as const) {
      if (from === level && settings[name] === undefined) return `a deviation from ${level} needs ${name}`;
      if (from !== level && settings[name] !== undefined) return `${name} is for a deviation from ${level}`;
    }
    return undefined;
  },
  doubles: () => 2,
  evaluate(input, state) {
    const [level = 0, windows = 0] = state;
    const mean = input.mean();
    return mean === undefined || windows === 0 ? undefined : mean - level;
  },
  advance(input, state, { settings }: Call) {
    const mean = input.mean();
    if (mean !== undefined) take(state, mean, settings);
  },
};
