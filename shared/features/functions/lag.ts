import { numberOf, type Stateful } from "./function.ts";

/**
 * The mean of the device's window `windows` windows ago, as it was when it first closed. Gaps have no windows: 1 is the
 * window that closed before this one, however long ago. Undefined in the first `windows` ones, and where the one then
 * had no reading of the input. Unit: the input's.
 *
 * State: the number of windows so far; the means of the last `windows` ones in turn, NaN where there was none.
 */
export const lag: Stateful = {
  name: "lag",
  kind: "stateful",
  summary: "The mean of the window `windows` windows ago; none where there was none.",
  unit: "input",
  inputs: 1,
  settings: { windows: { min: 1, max: 1_000, whole: true } },
  doubles: (settings) => numberOf(settings, "windows") + 1,
  evaluate(_, state, { settings }) {
    const [count = 0] = state;
    const windows = numberOf(settings, "windows");
    const mean = state[1 + (count % windows)] ?? Number.NaN;
    return count < windows || Number.isNaN(mean) ? undefined : mean;
  },
  advance(input, state, { settings }) {
    const [count = 0] = state;
    state[1 + (count % numberOf(settings, "windows"))] = input.mean() ?? Number.NaN;
    state[0] = count + 1;
  },
};
