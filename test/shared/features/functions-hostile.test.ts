// Goal: whatever the readings, a function gives a number or nothing. Method: the whole library over signals at the
// borders of the doubles and of the time, alone and one after another; then random ones.
import { compileView } from "@sluice/shared/features/compile-view.ts";
import { settingsOf } from "@sluice/shared/features/feature-settings.ts";
import { FUNCTIONS } from "@sluice/shared/features/functions/registry.ts";
import { Samples } from "@sluice/shared/features/samples.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { everyFunction } from "./functions-all.ts";
import { run, type TestWindow } from "./functions-run.ts";
import { viewOf, type TestFeature } from "./readings.ts";

const { MAX_VALUE, MIN_VALUE, MAX_SAFE_INTEGER } = Number;
const many = (count: number, value: (i: number) => number): number[] =>
  Array.from({ length: count }, (_, i) => value(i));

/** Signals that break what was not thought of; both inputs get each. */
const SIGNALS: Readonly<Record<string, Omit<TestWindow, "b" | "bS">>> = {
  "no reading": {},
  "a single reading": { a: [42] },
  "a single 0": { a: [0] },
  "a single -0": { a: [-0] },
  "a single largest double": { a: [MAX_VALUE] },
  "a single denormal": { a: [-MIN_VALUE] },
  "two readings": { a: [1, 2] },
  "a constant": { a: many(20, () => 7.3) },
  "a constant 0": { a: many(20, () => 0) },
  "a constant largest double": { a: many(20, () => MAX_VALUE) },
  "a constant of the least double": { a: many(20, () => -MIN_VALUE) },
  "zeros of both signs": { a: many(20, (i) => (i % 2 === 0 ? 0 : -0)) },
  "both ends of the doubles": { a: many(20, (i) => (i % 2 === 0 ? MAX_VALUE : -MAX_VALUE)) },
  denormals: { a: many(20, (i) => i * MIN_VALUE) },
  "denormals around 0": { a: many(20, (i) => (i % 3) * MIN_VALUE - MIN_VALUE) },
  "the largest and the least double": { a: [MAX_VALUE, MIN_VALUE, -MAX_VALUE, 1, 0, -MIN_VALUE] },
  "whole numbers beyond 2^53": { a: many(20, (i) => MAX_SAFE_INTEGER + i) },
  "one outlier": { a: many(20, (i) => (i === 13 ? 1e300 : i)) },
  "a ripple on 2^53": { a: many(20, (i) => 2 ** 53 + (i % 2) * 2) },
  "squares that overflow": { a: many(20, (i) => (i - 10) * 1e200) },
  "squares that underflow": { a: many(20, (i) => (i - 10) * 1e-200) },
  "one time": { a: many(20, (i) => i), aS: many(20, () => 3) },
  "two times": { a: many(20, (i) => i), aS: many(20, (i) => Math.floor(i / 10)) },
  "a microsecond": { a: [1, MAX_VALUE, 3], aS: [0, 0, 0.000_001] },
  "a gap of a month": {
    a: many(20, (i) => i),
    aS: many(20, (i) => i + (i > 9 ? 2_678_000 : 0)),
    endS: 2_678_400,
  },
};

const features = everyFunction();

/** What is neither a finite number other than -0 nor nothing. */
function wrongOf({ fn }: TestFeature, values: readonly (number | undefined)[]): string[] {
  return values
    .filter((value) => value !== undefined && (!Number.isFinite(value) || Object.is(value, -0)))
    .map((value) => `${fn} gives ${Object.is(value, -0) ? "-0" : value}`);
}

test.each(Object.entries(SIGNALS))("of %s, every function makes a number or nothing", (_, signal) => {
  const b = signal.a === undefined ? {} : { b: signal.a };
  const bS = signal.aS === undefined ? {} : { bS: signal.aS };
  const window = { startS: 0, ...signal, ...b, ...bS };
  expect(features.flatMap((feature) => wrongOf(feature, run(feature, [window, window])))).toEqual([]);
});

const extreme = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, MAX_VALUE, -MAX_VALUE, MIN_VALUE, -MIN_VALUE, 2 ** 53, 1, -1, 1e-160, 1e160),
);
const window = fc
  .record({
    a: fc.array(extreme, { maxLength: 8 }),
    b: fc.array(extreme, { maxLength: 8 }),
    stepS: fc.constantFrom(0, 1e-6, 1),
  })
  .map(({ a, b, stepS }) => ({ a, b, stepS }));

test("no function by itself ever makes NaN, and no state is ever spoilt, whatever the windows before", () => {
  const view = compileView(viewOf(features));
  fc.assert(
    fc.property(fc.array(window, { maxLength: 6 }), (windows) => {
      const state = new Float64Array(view.stateDoubles);
      for (const [i, { a, b, stepS }] of windows.entries()) {
        const bounds = { startUs: i * 10_000_000, endUs: (i + 1) * 10_000_000 };
        const inputs = [a, b].map((values) => {
          const samples = new Samples();
          const times = Float64Array.from(values, (_, k) => bounds.startUs + k * stepS * 1_000_000);
          samples.reset(times, Float64Array.from(values), 0, values.length);
          return samples;
        });
        const values = view.evaluate(inputs, state, bounds);
        expect(features.flatMap((feature, place) => wrongOf(feature, [values[place]]))).toEqual([]);
        view.advance(inputs, state, bounds);
        expect(state.some((number) => Math.abs(number) === Infinity)).toBe(false);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("every function by itself, without the engine's guard, makes no NaN", () => {
  const x = new Samples();
  const y = new Samples();
  const wrong: string[] = [];
  for (const { a = [], aS } of Object.values(SIGNALS)) {
    const times = Float64Array.from(a, (_, i) => (aS?.[i] ?? i) * 1_000_000);
    for (const samples of [x, y]) samples.reset(times, Float64Array.from(a), 0, a.length);
    for (const [place, fn] of [...FUNCTIONS.values()].entries()) {
      const settings = settingsOf({ name: "f", fn: fn.name, with: { ...features[place]?.with } }, fn);
      const call = { settings, startUs: 0, endUs: 10_000_000 };
      const evaluate = (): number | undefined => {
        if (fn.kind === "no input") return fn.evaluate(call);
        if (fn.kind === "one input") return fn.evaluate(x, call);
        if (fn.kind === "two inputs") return fn.evaluate(x, y, call);
        return fn.evaluate(x, new Float64Array(fn.doubles(call.settings)), call);
      };
      if (Number.isNaN(evaluate())) wrong.push(fn.name);
    }
  }
  expect(wrong).toEqual([]);
});

test("a window without bounds that any calendar knows has no local time", () => {
  for (const fn of ["hour", "weekday", "day_of_year", "is_weekend", "day_sine", "year_cosine"])
    expect(run({ fn, of: undefined }, [{ startS: 1e15, endS: 1e15 + 10 }])).toEqual([undefined]);
});
