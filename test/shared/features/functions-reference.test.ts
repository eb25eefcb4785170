// Goal: every function gives the value that its formula gives by hand. Method: one table; what is divided or rooted in
// an expectation is the formula with the numbers put in, or a published value.
import { FUNCTIONS } from "@sluice/shared/features/functions/registry.ts";
import { expect, test } from "vitest";
import { WAVEFORM } from "./functions-all.ts";
import { run, type TestWindow } from "./functions-run.ts";
import { nearly } from "./nearly.ts";
import type { TestFeature } from "./readings.ts";

type Row = readonly [
  fn: string,
  options: Omit<TestFeature, "fn">,
  windows: readonly TestWindow[],
  expected: readonly (number | undefined)[],
];

const both = { of: ["a", "b"] };
const time = { of: undefined };
const SAMPLE = [2, 4, 4, 4, 5, 5, 7, 9]; // Mean 5, squared deviations 32, magnitudes 40.
const means = (...values: readonly number[]): TestWindow[] => values.map((value) => ({ a: [value] }));
/** A day of 2026 at a second, as the end of a window of a minute. */
const at = (dayOfYear: number, second: number): TestWindow => {
  const endS = (dayOfYear - 1) * 86_400 + second;
  return { startS: endS - 60, endS };
};
const zone = { ...time, with: { zone: "Europe/Berlin" } };

const ROWS: readonly Row[] = [
  ["count", {}, [{ a: SAMPLE }, {}], [8, 0]],
  ["mean", {}, [{ a: SAMPLE }, {}], [5, undefined]],
  ["min", {}, [{ a: SAMPLE }], [2]],
  ["max", {}, [{ a: SAMPLE }], [9]],
  ["range", {}, [{ a: SAMPLE }, { a: [3] }], [7, 0]],
  ["sum", {}, [{ a: SAMPLE }, {}], [40, undefined]],
  ["variance", {}, [{ a: SAMPLE }, { a: [1] }], [32 / 7, undefined]],
  ["std", {}, [{ a: SAMPLE }, { a: [1] }], [Math.sqrt(32 / 7), undefined]],
  ["rms", {}, [{ a: [3, 4] }, {}], [Math.sqrt(12.5), undefined]],
  ["peak", {}, [{ a: [3, -4, 1] }], [4]],
  ["crest_factor", {}, [{ a: [0, 0, 0, 4] }, { a: [0] }], [2, undefined]],
  // Root mean square 2, mean magnitude 1.
  ["shape_factor", {}, [{ a: [0, 0, 0, -4] }, { a: [7] }, { a: [0, 0] }, {}], [2, 1, undefined, undefined]],
  // Peak 4, mean magnitude 1.
  ["impulse_factor", {}, [{ a: [0, 0, 0, -4] }, { a: [7] }, { a: [0, 0] }, {}], [4, 1, undefined, undefined]],
  // Mean 1, m2 = 3, m3 = 6, m4 = 21.
  [
    "skewness",
    {},
    [{ a: [0, 0, 0, 4] }, { a: [1, 2] }, { a: [1, 1, 1] }],
    [6 / 3 ** 1.5, undefined, undefined],
  ],
  ["kurtosis", {}, [{ a: [0, 0, 0, 4] }, { a: [1, 2, 3] }], [21 / 9, undefined]],
  ["median", {}, [{ a: [4, 1, 3, 2] }, {}], [2.5, undefined]],
  // (4 - 1) · 0.9 = 2.7: 3 + 0.7 · (4 - 3).
  ["quantile", { with: { q: 0.9 } }, [{ a: [4, 1, 3, 2] }], [3.7]],
  // 1.75 and 3.25.
  ["iqr", {}, [{ a: [4, 1, 3, 2] }, { a: [5] }, {}], [1.5, 0, undefined]],
  // Median 2, distances 1 1 0 0 2 4 7, of which the middle one is 1 (Wikipedia's worked example).
  ["mad", {}, [{ a: [1, 1, 2, 2, 4, 6, 9] }, { a: [5] }, {}], [1, 0, undefined]],
  ["first", {}, [{ a: [8, 9, 7] }], [8]],
  ["last", {}, [{ a: [8, 9, 7] }], [7]],
  ["delta", {}, [{ a: [8, 9, 5] }, { a: [8] }], [-3, undefined]],
  ["slope", {}, [{ a: [1, 3, 5], aS: [0, 0.5, 1] }], [4]],
  // x = 3 t² - 2 t + 1 at 0, 1, 2, 5: its second derivative is 6; a straight line has none, two times have no parabola.
  [
    "curvature",
    {},
    [
      { a: [1, 2, 9, 66], aS: [0, 1, 2, 5] },
      { a: [1, 2], aS: [0, 1] },
    ],
    [6, undefined],
  ],
  // Through 0, 1, 0, 1 at 0, 1, 2, 3: p = u² - 5/4 is 1 -1 -1 1, so Σpx = 0.
  ["curvature", {}, [{ a: [0, 1, 0, 1] }, { a: [0, 1, 1, 0] }], [0, (2 * -2) / 4]],
  ["zero_crossings", {}, [{ a: [1, 0, -1, 0, 1] }], [2]],
  // From 0 to 4 in 2 s: above 1 for 1.5 s, then 3 s above, then from 4 to 0 in 1 s: 0.75 s.
  [
    "time_above",
    { with: { threshold: 1 } },
    [{ a: [0, 4, 4, 0], aS: [0, 2, 5, 6] }, { a: [1, 1] }, { a: [9] }],
    [5.25, 0, undefined],
  ],
  [
    "time_below",
    { with: { threshold: 1 } },
    [{ a: [0, 4, 4, 0], aS: [0, 2, 5, 6] }, { a: [1, 1] }, { a: [9] }],
    [0.75, 0, undefined],
  ],
  // 4 + 12 + 2.
  ["integral", {}, [{ a: [0, 4, 4, 0], aS: [0, 2, 5, 6] }, { a: [9] }], [18, undefined]],
  // Areas 1, 1e100 and -1e100 with steps between them, of which only a compensated sum keeps the 1.
  ["integral", {}, [{ a: [1, 1, 1e100, 1e100, -1e100, -1e100], aS: [0, 1, 1, 2, 2, 3] }], [1]],
  [
    "time_weighted_mean",
    {},
    [{ a: [0, 4, 4, 0], aS: [0, 2, 5, 6] }, { a: [1, 9], aS: [11, 11] }, {}],
    [3, 5, undefined],
  ],
  // 10 s at two a second.
  ["missing_share", { with: { rate_hz: 2 } }, [{ a: [1, 1, 1, 1, 1] }, {}], [0.75, 1]],
  ["missing_share", { with: { interval_s: 5 } }, [{ a: [1] }, { a: [1, 1, 1] }], [0.5, 0]],
  ["staleness", {}, [{ a: [1, 1, 1] }, {}], [8, undefined]],
  // Shares 1/2, 1/4, 1/4, and all in one bin.
  [
    "entropy",
    { with: { bins: 4, low: 0, high: 4 } },
    [{ a: [0, 0.5, 1, 9] }, { a: [2, 2.9] }, {}],
    [1.5, 0, undefined],
  ],
  [
    "entropy",
    { with: { bins: 2 } },
    [{ a: [1, 2, 3, 10] }, { a: [7, 7] }],
    [-(0.75 * Math.log2(0.75) + 0.25 * Math.log2(0.25)), 0],
  ],
  // dx -1.5 -0.5 0.5 1.5, dy -1 1 -1 1: products 2, squares 5 and 4.
  [
    "correlation",
    both,
    [
      { a: [1, 2, 3, 4], b: [0, 2, 0, 2] },
      { a: [1], b: [2] },
    ],
    [2 / Math.sqrt(20), undefined],
  ],
  [
    "covariance",
    both,
    [
      { a: [1, 2, 3, 4], b: [0, 2, 0, 2] },
      { a: [1], b: [2] },
      { a: [1, 2], b: [3, 3] },
    ],
    [2 / 3, undefined, 0],
  ],
  [
    "sum_of_products",
    both,
    [
      { a: [1, 2, 3, 4], b: [0, 2, 0, 2] },
      { a: [1], b: [2], bS: [15] },
    ],
    [12, undefined],
  ],
  ["sum_of_products", both, [{ a: [1, 1e100, 1, -1e100], b: [1, 1, 1, 1] }], [2]],
  ["pair_count", both, [{ a: [1, 2, 3, 4], b: [0, 2] }, { a: [1] }], [2, 0]],
  [
    "ratio",
    both,
    [
      { a: [2, 4], b: [6] },
      { a: [1], b: [0] },
    ],
    [0.5, undefined],
  ],
  ["difference", both, [{ a: [2, 4], b: [6] }, { a: [1] }], [-3, undefined]],
  ["cumulative_mean", {}, [...means(1, 4), {}, { a: [9, 11] }], [1, 2.5, 2.5, 5]],
  ["deviation", {}, [{}, ...means(1, 4), {}, { a: [9, 11] }], [undefined, undefined, 3, undefined, 7.5]],
  ["deviation", { from: "previous" }, means(1, 4, 2), [undefined, 3, -2]],
  // 0, then 0.5 · 8 = 4.
  ["deviation", { from: "exponential_mean", with: { alpha: 0.5 } }, means(0, 8, 8), [undefined, 8, 4]],
  ["deviation", { from: "first_windows", with: { windows: 2 } }, means(1, 3, 10, 20), [undefined, 2, 8, 18]],
  [
    "exponential_mean",
    { with: { alpha: 0.25 } },
    [{}, ...means(8, 0), {}, ...means(6)],
    [undefined, 8, 6, 6, 6],
  ],
  // 0; 0.75 · (0 + 0.25 · 64) = 12; 0.75 · (12 + 0.25 · 16) = 12.
  ["exponential_variance", { with: { alpha: 0.25 } }, means(8, 0, 10), [0, 12, 12]],
  // A sum at the threshold is none above it.
  ["change_point", { with: { drift: 0, threshold: 4 } }, means(0, 4, 6), [0, 0, 1]],
  // A sum stays at the largest double, which no threshold is below.
  [
    "cusum",
    { with: { drift: 0, threshold: Number.MAX_VALUE, target: 0 } },
    means(1.7e308, 1.7e308, 0),
    [1.7e308, Number.MAX_VALUE, Number.MAX_VALUE],
  ],
  // The reference after a change is the new level, whatever was before: nothing of 1e20 is left in it.
  ["cusum", { with: { drift: 0, threshold: 8 } }, means(1e20, 1, 1, 3), [0, 1e20, 0, 2]],
  // Without a target: the reference is 0, 0, 2 (of 0, 0, 6), and 7 after the change.
  ["cusum", { with: { drift: 1, threshold: 8 } }, means(0, 0, 6, 7, 7, 7), [0, 0, 5, 9, 0, 0]],
  ["cusum", { with: { drift: 1, threshold: 99, target: 5, side: "down" } }, means(5, 3, 1, 9), [0, 1, 4, 0]],
  [
    "cusum",
    { with: { drift: 1, threshold: 99, target: 5, side: "up" } },
    [...means(5, 8), {}, ...means(8)],
    [0, 2, undefined, 4],
  ],
  [
    "change_point",
    { with: { drift: 1, threshold: 8 } },
    [...means(0, 0, 6, 7, 7), {}, ...means(-9)],
    [0, 0, 0, 1, 0, undefined, -1],
  ],
  [
    "count_since",
    { with: { above: 5 } },
    [...means(1, 6, 1), {}, ...means(2, 9)],
    [undefined, 0, 1, 2, 3, 0],
  ],
  [
    "count_since",
    { with: { below: 0, count: "readings" } },
    [{ a: [1, -1, 1, 1] }, { a: [1, 1, 1] }, {}, { a: [-1] }],
    [2, 5, 5, 0],
  ],
  // Windows that overlap: the reading of second 3 is in both.
  [
    "count_since",
    { with: { below: 0, count: "readings" } },
    [
      { a: [-1, 1], aS: [2, 3] },
      { startS: 3, a: [1, 1], aS: [3, 11] },
    ],
    [1, 2],
  ],
  // A device whose clock was ahead at first.
  ["age", time, [at(2, 0), at(1, 0), at(2, 1)], [0, 0, 1]],
  ["age", time, means(1, 1, 1), [0, 10, 20]],
  ["window_count", time, [{}, ...means(1, 1)], [1, 2, 3]],
  [
    "lag",
    { with: { windows: 2 } },
    [...means(1, 2, 3), {}, ...means(5, 6, 7)],
    [undefined, undefined, 1, 2, 3, undefined, 5],
  ],
  ["change", {}, [...means(1, 4), {}, ...means(2)], [undefined, 3, undefined, -2]],
  ["rate_of_change", {}, [...means(1, 4), {}, ...means(2)], [undefined, 0.3, undefined, -0.1]],
  // A clock that was ahead: the window before ends later.
  [
    "rate_of_change",
    {},
    [
      { startS: 50, a: [1] },
      { startS: 0, a: [2] },
      { startS: 0, a: [3] },
    ],
    [undefined, undefined, undefined],
  ],
  // A clock that was ahead: the window before ends later, or at the same time.
  [
    "rate_of_change",
    {},
    [
      { startS: 50, a: [1] },
      { startS: 0, a: [2] },
      { startS: 0, a: [3] },
    ],
    [undefined, undefined, undefined],
  ],
  // 2026-01-01 was a Thursday; on 29 March, day 88, clocks in Berlin go from 02:00 to 03:00, 01:00 in UTC.
  ["hour", time, [at(1, 36_000), at(1, 36_001), at(1, 0)], [9, 10, 23]],
  ["hour", zone, [at(1, 36_001), at(88, 3_600), at(88, 3_601), at(182, 79_201)], [11, 1, 3, 0]],
  ["weekday", time, [at(1, 1), at(4, 86_400), at(5, 1), at(0, 1), at(-20_457, 1)], [4, 7, 1, 3, 7]],
  ["weekday", zone, [at(4, 82_801), at(4, 82_800)], [1, 7]],
  // 2024 was a leap year: its last second is 366 days and a year before.
  ["day_of_year", time, [at(1, 1), at(365, 1), at(1, 0), at(-364, 0), at(-364, 1)], [1, 365, 365, 366, 1]],
  ["is_weekend", time, [at(2, 1), at(3, 1), at(4, 1), at(5, 1)], [0, 1, 1, 0]],
];

test.each(ROWS)("%s %j over %j is %j", (fn, options, windows, expected) => {
  expect(run({ fn, ...options }, windows)).toEqual(expected.map((value) => nearly(value, 12)));
});

// The end of a window is not in it, so a sine is that of a microsecond before.
test.each([
  ["day_sine", at(1, 21_600), 1],
  ["day_cosine", at(1, 43_200), -1],
  ["week_sine", at(5, 0), 0], // From Sunday to Monday.
  ["week_cosine", at(5, 0), 1],
  ["year_sine", at(1, 0), 0],
  ["year_cosine", at(183, 43_200), -1],
] as const)("%s at %j is %d", (fn, window, expected) => {
  expect(run({ fn, of: undefined }, [window])[0]).toBeCloseTo(expected, 3);
});

test("every function that does not work on waveforms has a value here", () => {
  const here = new Set([
    ...ROWS.map(([fn]) => fn),
    "day_sine",
    "day_cosine",
    "week_sine",
    "week_cosine",
    "year_sine",
    "year_cosine",
  ]);
  expect([...FUNCTIONS.keys()].filter((fn) => !here.has(fn) && !WAVEFORM.test(fn))).toEqual([]);
});
