// Goal: the library gives what an independent implementation in the same language gives. Method: simple-statistics over
// random signals, and over recorded vibration where there is some (SLUICE_DATA, as for `npm run recorded`).
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compileView } from "@sluice/shared/features/compile-view.ts";
import { Samples } from "@sluice/shared/features/samples.ts";
import * as fc from "fast-check";
import * as statistics from "simple-statistics";
import { expect, test } from "vitest";
import { type TestFeature, viewOf } from "./readings.ts";

const SPACING_US = 10_000;

const both = { of: ["a", "b"] };

type Reference = (a: number[], b: number[]) => number;

const seconds = (a: readonly number[]): [number, number][] =>
  a.map((value, i) => [(i * SPACING_US) / 1_000_000, value]);

const COMPARED: readonly (readonly [feature: TestFeature, reference: Reference])[] = [
  [{ fn: "mean" }, (a) => statistics.mean(a)],
  [{ fn: "sum" }, (a) => statistics.sum(a)],
  [{ fn: "min" }, (a) => statistics.min(a)],
  [{ fn: "max" }, (a) => statistics.max(a)],
  [{ fn: "variance" }, (a) => statistics.sampleVariance(a)],
  [{ fn: "std" }, (a) => statistics.sampleStandardDeviation(a)],
  [{ fn: "rms" }, (a) => statistics.rootMeanSquare(a)],
  [{ fn: "median" }, (a) => statistics.median(a)],
  [{ fn: "mad" }, (a) => statistics.medianAbsoluteDeviation(a)],
  // Theirs is that of a sample, G1 of Joanes & Gill; ours g1.
  [
    { fn: "skewness" },
    (a) => (statistics.sampleSkewness(a) * (a.length - 2)) / Math.sqrt(a.length * (a.length - 1)),
  ],
  [{ fn: "slope" }, (a) => statistics.linearRegression(seconds(a)).m],
  [{ fn: "correlation", ...both }, (a, b) => statistics.sampleCorrelation(a, b)],
  [{ fn: "covariance", ...both }, (a, b) => statistics.sampleCovariance(a, b)],
];

/** The functions that give something else than the reference does. */
function differing(a: number[], b: number[]): string[] {
  const times = Float64Array.from(a, (_, i) => i * SPACING_US);
  const samples = [a, b].map((values) => {
    const made = new Samples();
    made.reset(times, Float64Array.from(values), 0, values.length);
    return made;
  });
  const plan = compileView(viewOf(COMPARED.map(([feature]) => feature)));
  const bounds = { startUs: 0, endUs: a.length * SPACING_US };
  const values = plan.evaluate(samples, new Float64Array(plan.stateDoubles), bounds);
  const scale = Math.max(1, ...a.map(Math.abs), ...b.map(Math.abs)) ** 2;
  return COMPARED.filter(
    ([, reference], i) => !(Math.abs((values[i] ?? Number.NaN) - reference(a, b)) / scale < 1e-9),
  ).map(([{ fn }]) => fn);
}

test("each function gives what simple-statistics gives, on random signals", () => {
  const signal = fc.array(
    fc.tuple(fc.integer({ min: -500, max: 500 }), fc.integer({ min: -500, max: 500 })),
    {
      minLength: 3,
      maxLength: 80,
    },
  );
  fc.assert(
    fc.property(signal, (pairs) => {
      // Neither side is constant: a constant has no correlation and no skewness.
      const shaken = pairs.map(([a, b], i) => [a + (i % 3) * 1_000, b - (i % 2) * 1_000] as const);
      const [a, b] = [shaken.map(([a]) => a / 8), shaken.map(([, b]) => b / 8)];
      expect(differing(a, b)).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

const recording = join(
  process.env["SLUICE_DATA"] ?? join(import.meta.dirname, "../../../../shared/data"),
  "cwru/1797_IR_7_DE12.f32",
);
if (!existsSync(recording))
  console.warn(`SKIPPED: no recorded vibration at ${recording}, so random signals alone were compared`);

test.skipIf(!existsSync(recording))("and on the vibration of a damaged bearing", () => {
  const bytes = readFileSync(recording);
  const samples = Array.from({ length: 12_001 }, (_, i) => bytes.readFloatLE(i * 4));
  for (let from = 0; from + 1_201 <= samples.length; from += 1_200)
    expect(differing(samples.slice(from, from + 1_200), samples.slice(from + 1, from + 1_201))).toEqual([]);
});
