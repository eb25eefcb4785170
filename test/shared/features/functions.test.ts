import { FUNCTIONS } from "@sluice/shared/features/functions/registry.ts";
import { Samples } from "@sluice/shared/features/samples.ts";
import { expect, test } from "vitest";
import { nearly } from "./nearly.ts";

const CALL = { settings: {}, startUs: 1_700_000_000_000_000, endUs: 1_700_000_060_000_000 };

/** Evaluates a function over values one second apart, or at the given seconds. */
function evaluate(
  name: string,
  inputs: readonly (readonly number[])[],
  options: { seconds?: readonly (readonly number[])[]; with?: Record<string, number>; state?: number[] } = {},
): number | undefined {
  const [first = new Samples(), second = new Samples()] = inputs.map((values, i) => {
    const seconds = options.seconds?.[i] ?? values.map((_, k) => k);
    const samples = new Samples();
    const times = Float64Array.from(seconds, (s) => 1_700_000_000_000_000 + s * 1_000_000);
    samples.reset(times, Float64Array.from(values), 0, values.length);
    return samples;
  });
  const call = { ...CALL, settings: options.with ?? {} };
  const fn = FUNCTIONS.get(name);
  if (fn?.kind === "one input") return fn.evaluate(first, call);
  if (fn?.kind === "two inputs") return fn.evaluate(first, second, call);
  if (fn?.kind === "stateful") return fn.evaluate(first, Float64Array.from(options.state ?? []), call);
  return fn?.evaluate(call);
}

const SAMPLE = [2, 4, 4, 4, 5, 5, 7, 9]; // Mean 5, squared deviations 32.
const HUGE = [1e308, 1e308, -1e308, 1.5e308];
const TINY = [5e-324, 1e-323, 1.5e-323];

// Worked by hand.
test.each([
  ["count", SAMPLE, 8],
  ["count", [], 0],
  ["mean", SAMPLE, 5],
  ["min", SAMPLE, 2],
  ["max", SAMPLE, 9],
  ["range", SAMPLE, 7],
  ["sum", SAMPLE, 40],
  ["sum", [], undefined],
  ["variance", SAMPLE, 32 / 7],
  ["variance", [3], undefined],
  ["std", SAMPLE, Math.sqrt(32 / 7)],
  ["rms", [3, 4], Math.sqrt(12.5)],
  ["rms", [-7], 7],
  ["peak", [3, -4, 1], 4],
  ["crest_factor", [-2, 2, 2, -2], 1],
  ["crest_factor", [0, 0, 0, 4], 2],
  ["crest_factor", [0, 0], undefined],
  ["skewness", [1, 2, 3], 0],
  // Mean 1, m2 = 3, m3 = 6: 6 / 3^1.5.
  ["skewness", [0, 0, 0, 4], 6 / 3 ** 1.5],
  ["skewness", [1, 2], undefined],
  // Mean 0, m2 = 1, m4 = 1.
  ["kurtosis", [-1, 1, -1, 1], 1],
  // Mean 1, m2 = 3, m4 = (3 + 81) / 4 = 21: 21 / 9.
  ["kurtosis", [0, 0, 0, 4], 21 / 9],
  ["kurtosis", [1, 2, 3], undefined],
  ["median", [5, 1, 3], 3],
  ["median", [4, 1, 3, 2], 2.5],
  ["first", [8, 9, 7], 8],
  ["last", [8, 9, 7], 7],
  ["delta", [8, 9, 5], -3],
  ["delta", [8], undefined],
  ["slope", [1, 3, 5, 7], 2],
  ["slope", [1], undefined],
  ["zero_crossings", [1, -1, 1, 1, -2], 3],
  ["zero_crossings", [1, 0, -1, 0, -1, 0, 1], 2],
  ["zero_crossings", [0, 0], 0],
] as const)("%s of %j is %d", (name, values, expected) => {
  expect(evaluate(name, [values])).toEqual(nearly(expected, 12));
});

test.each([
  [0, 1],
  [1, 4],
  [0.5, 2.5],
  [0.25, 1.75],
  [0.9, 3.7],
])("the quantile at %d of 1, 2, 3, 4 is %d, as type 7 has it", (q, expected) => {
  expect(evaluate("quantile", [[4, 2, 1, 3]], { with: { q } })).toBeCloseTo(expected, 12);
});

test("the slope is per second of event time, whatever the spacing", () => {
  const seconds = [0, 0.1, 0.5, 4];
  const values = seconds.map((s) => 3 - 0.25 * s);
  expect(evaluate("slope", [values], { seconds: [seconds] })).toBeCloseTo(-0.25, 12);
});

test("readings that all have one time have no slope", () => {
  expect(evaluate("slope", [[1, 2, 3]], { seconds: [[7, 7, 7]] })).toBeUndefined();
});

test("correlation pairs the readings that have the same event time and leaves out the others", () => {
  const seconds = [
    [0, 1, 2, 3, 4],
    [1, 2.5, 3, 4, 9],
  ];
  const first = [100, 1, -50, 2, 3];
  const second = [10, 999, 20, 30, -999];
  expect(evaluate("correlation", [first, second], { seconds })).toBeCloseTo(1, 12);
  const opposite = second.map((value) => -value);
  expect(evaluate("correlation", [first, opposite], { seconds })).toBeCloseTo(-1, 12);
});

test("several readings of one time pair up in their order", () => {
  const seconds = [
    [1, 1, 1, 2],
    [1, 1, 2],
  ];
  // Pairs (1, 2), (2, 4), (4, 8): the third of the first input has no partner.
  expect(
    evaluate(
      "correlation",
      [
        [1, 2, 77, 4],
        [2, 4, 8],
      ],
      { seconds },
    ),
  ).toBeCloseTo(1, 12);
});

test("correlation by hand: Σdxdy / √(Σdx² Σdy²)", () => {
  // dx -1.5 -0.5 0.5 1.5, dy -1 1 -1 1: products 1.5 - 0.5 - 0.5 + 1.5 = 2, squares 5 and 4.
  expect(
    evaluate("correlation", [
      [1, 2, 3, 4],
      [0, 2, 0, 2],
    ]),
  ).toBeCloseTo(2 / Math.sqrt(20), 12);
});

test("correlation has no value without two pairs, or where one side is constant", () => {
  expect(evaluate("correlation", [[1], [2]])).toBeUndefined();
  expect(
    evaluate("correlation", [
      [1, 2],
      [5, 5],
    ]),
  ).toBeUndefined();
  expect(evaluate("correlation", [[1, 2], []])).toBeUndefined();
});

test("ratio and difference are of the means", () => {
  expect(evaluate("ratio", [[2, 4], [6]])).toBe(0.5);
  expect(evaluate("difference", [[2, 4], [6]])).toBe(-3);
  expect(evaluate("ratio", [[1], [1, -1]])).toBeUndefined();
  expect(evaluate("difference", [[1], []])).toBeUndefined();
});

test("deviation is the mean minus the cumulative mean, and has no value before there is one", () => {
  expect(evaluate("deviation", [[4, 6]], { state: [3, 2] })).toBe(2);
  expect(evaluate("deviation", [[4, 6]], { state: [0, 0] })).toBeUndefined();
  expect(evaluate("deviation", [[]], { state: [3, 2] })).toBeUndefined();
});

test("the cumulative mean counts each window once", () => {
  const deviation = FUNCTIONS.get("deviation");
  if (deviation?.kind !== "stateful") throw new Error("deviation is stateful");
  const state = new Float64Array(deviation.doubles({}));
  for (const window of [[1, 1, 1, 1, 1], [4], [], [10, 10]])
    deviation.advance(Samples.of(Float64Array.from(window)), state, CALL);
  expect([...state]).toEqual([5, 3]);
});

test("the cumulative mean survives values at the end of the doubles", () => {
  const deviation = FUNCTIONS.get("deviation");
  if (deviation?.kind !== "stateful") throw new Error("deviation is stateful");
  const state = new Float64Array(deviation.doubles({}));
  for (const value of [1.7e308, -1.7e308, -1.7e308, 1.7e308])
    deviation.advance(Samples.of(Float64Array.of(value)), state, CALL);
  expect(Math.abs(state[0] ?? Number.NaN)).toBeLessThan(1e293);
});

test("a constant signal has no spread at all, also where its mean does not round", () => {
  const constant = Array.from({ length: 1_000 }, () => 0.1);
  expect(evaluate("mean", [constant])).toBe(0.1);
  expect(evaluate("std", [constant])).toBe(0);
  expect(evaluate("variance", [constant])).toBe(0);
  expect(evaluate("skewness", [constant])).toBeUndefined();
  expect(evaluate("kurtosis", [constant])).toBeUndefined();
  expect(evaluate("quantile", [constant], { with: { q: 0.37 } })).toBe(0.1);
});

test("huge values overflow only where the answer itself is too large for a double", () => {
  // Σ = 2.5e308 is beyond the doubles, the mean 6.25e307 is not.
  expect(evaluate("mean", [HUGE])).toBeCloseTo(6.25e307, -295);
  expect(evaluate("sum", [HUGE])).toBe(Infinity);
  expect(evaluate("sum", [[1.5e308, 1.5e308, -1.5e308, -1e308]])).toBeCloseTo(5e307, -295);
  // Squares 1 + 1 + 1 + 2.25 = 5.25.
  expect((evaluate("rms", [HUGE]) ?? 0) / (1e308 * Math.sqrt(5.25 / 4))).toBeCloseTo(1, 12);
  expect((evaluate("crest_factor", [HUGE]) ?? 0) / (1.5 / Math.sqrt(5.25 / 4))).toBeCloseTo(1, 12);
  // Deviations 0.375 0.375 -1.625 0.875 (·1e308): Σd² = 3.6875.
  expect((evaluate("std", [HUGE]) ?? 0) / (1e308 * Math.sqrt(3.6875 / 3))).toBeCloseTo(1, 12);
  expect(evaluate("correlation", [HUGE, HUGE])).toBeCloseTo(1, 12);
  expect(evaluate("median", [[1.7e308, 1.7e308, 1.6e308, 1.5e308]])).toBeCloseTo(1.65e308, -295);
});

test("denormal values keep their spread, although their squares underflow", () => {
  expect(evaluate("mean", [TINY])).toBe(1e-323);
  expect(evaluate("std", [TINY])).toBe(5e-324);
  expect(evaluate("crest_factor", [TINY])).toBeCloseTo(3 / Math.sqrt(14 / 3), 12);
  expect(evaluate("correlation", [TINY, [1, 2, 3]])).toBeCloseTo(1, 12);
});

test("small ripples on a large offset are not lost in cancellation", () => {
  const values = Array.from({ length: 1_000 }, (_, i) => 1e9 + (i % 2 === 0 ? 0.5 : -0.5));
  // n / (n - 1) · 0.25.
  expect(evaluate("variance", [values])).toBeCloseTo(250 / 999, 12);
  expect(evaluate("kurtosis", [values])).toBeCloseTo(1, 12);
});

test("the sum keeps what plain addition loses", () => {
  expect(evaluate("sum", [[1, 1e100, 1, -1e100]])).toBe(2);
});

test("a full sine has the crest factor √2, the kurtosis 1.5 and crosses zero once inside", () => {
  const sine = Array.from({ length: 360 }, (_, i) => Math.sin(((i + 0.5) * Math.PI) / 180));
  expect(evaluate("crest_factor", [sine])).toBeCloseTo(Math.SQRT2, 3);
  expect(evaluate("kurtosis", [sine])).toBeCloseTo(1.5, 9);
  expect(evaluate("zero_crossings", [sine])).toBe(1);
  expect(evaluate("skewness", [sine])).toBeCloseTo(0, 9);
});
