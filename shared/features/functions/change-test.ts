import { ANY_NUMBER, numberOf, type FunctionSettings } from "./function.ts";
import { bounded, cumulate } from "./level.ts";

/** What a test for changes is set by: how far off does not count, when it has changed, and from what. */
export const CHANGE_SETTINGS = {
  drift: { min: 0, max: Number.MAX_VALUE },
  threshold: { min: 0, max: Number.MAX_VALUE },
  target: { ...ANY_NUMBER, optional: true },
};

/** What the test says of one window. */
export interface ChangeTest {
  readonly up: number;
  readonly down: number;
  /** 1 where the signal has changed upwards, -1 downwards, 0 not. */
  readonly change: 1 | 0 | -1;
}

/** The numbers of state of a test. */
export const CHANGE_DOUBLES = 4;

/**
 * Page's two cumulative sums (1954) over the means x of the device's windows, and the state after them:
 * up = max(0, up + x - reference - drift), down = max(0, down + reference - x - drift).
 *
 * The signal has changed where a sum is above the threshold; then both begin anew at 0. The reference is the target, or
 * without one the average of the windows since the last change (Gustafsson 2000), so that the first window after it is
 * the new reference. Sums are at most the largest double.
 *
 * State: both sums, the reference, the number of windows in it.
 */
export function testForChange(state: Float64Array, mean: number, settings: FunctionSettings): ChangeTest {
  const [upBefore = 0, downBefore = 0, average = 0, windows = 0] = state;
  const drift = numberOf(settings, "drift");
  const threshold = numberOf(settings, "threshold");
  const target = settings["target"] === undefined ? undefined : numberOf(settings, "target");
  const distance = mean - (target ?? (windows === 0 ? mean : average));
  const up = bounded(Math.max(0, upBefore + (distance - drift)));
  const down = bounded(Math.max(0, downBefore + (-distance - drift)));
  const change = up > threshold ? 1 : down > threshold ? -1 : 0;
  state[0] = change === 0 ? up : 0;
  state[1] = change === 0 ? down : 0;
  if (change !== 0) state.fill(0, 2); // The average begins with this window.
  cumulate(state.subarray(2), mean);
  return { up, down, change };
}
