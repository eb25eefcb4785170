import { compileView } from "@sluice/shared/features/compile-view.ts";
import { Samples } from "@sluice/shared/features/samples.ts";
import { viewOf, type TestFeature } from "./readings.ts";

/** One window as a test writes it: values of the inputs a and b, a second apart unless `aS` and `bS` say when. */
export interface TestWindow {
  readonly a?: readonly number[];
  readonly b?: readonly number[];
  /** Seconds of event time, from the same zero as the window's bounds. */
  readonly aS?: readonly number[];
  readonly bS?: readonly number[];
  readonly startS?: number;
  readonly endS?: number;
}

/** Thursday, 2026-01-01, 00:00 in UTC: the zero of a test's seconds. */
export const ZERO_US = 1_767_225_600_000_000;

/** Length of windows that say nothing else; each begins where the one before ends. */
const WINDOW_S = 10;

function samplesOf(values: readonly number[], seconds: readonly number[]): Samples {
  const samples = new Samples();
  const times = Float64Array.from(seconds, (second) => ZERO_US + second * 1_000_000);
  samples.reset(times, Float64Array.from(values), 0, values.length);
  return samples;
}

/** The values of one feature over the windows of a device, one after another, as the engine would ask for them. */
export function run(feature: TestFeature, windows: readonly TestWindow[]): (number | undefined)[] {
  const view = compileView(viewOf([feature]));
  const state = new Float64Array(view.stateDoubles);
  return windows.map(({ a = [], b = [], aS, bS, startS, endS }, i) => {
    const from = startS ?? i * WINDOW_S;
    const bounds = {
      startUs: ZERO_US + from * 1_000_000,
      endUs: ZERO_US + (endS ?? from + WINDOW_S) * 1_000_000,
    };
    const inputs = [
      samplesOf(a, aS ?? a.map((_, k) => from + k)),
      samplesOf(b, bS ?? b.map((_, k) => from + k)),
    ];
    const before = state.slice();
    const [value] = view.evaluate(inputs, state, bounds);
    if (state.some((number, k) => !Object.is(number, before[k])))
      throw new Error(`${feature.fn} has changed its state where it only evaluates`);
    view.advance(inputs, state, bounds);
    return value;
  });
}
