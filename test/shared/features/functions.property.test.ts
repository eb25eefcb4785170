import { compileView } from "@sluice/shared/features/compile-view.ts";
import { FUNCTIONS } from "@sluice/shared/features/functions/registry.ts";
import { Samples } from "@sluice/shared/features/samples.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { everyFunction } from "./functions-all.ts";
import { nearly } from "./nearly.ts";
import { viewOf } from "./readings.ts";

const CALL = { settings: {}, startUs: 0, endUs: 60_000_000 };
const QUANTILE = { ...CALL, settings: { q: 0.7 } };

const anyFinite = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1e308, -1.7e308, 5e-324, -5e-324, Number.MAX_VALUE, 1),
  fc.integer({ min: -5, max: 5 }),
);

function samplesOf(values: readonly number[], stepUs = 1_000): Samples {
  const samples = new Samples();
  const times = Float64Array.from(values, (_, i) => i * stepUs);
  samples.reset(times, Float64Array.from(values), 0, values.length);
  return samples;
}

test("every function gives a finite number that is not -0, or nothing, for any readings and any state", () => {
  const view = compileView(viewOf(everyFunction()));
  const state = new Float64Array(view.stateDoubles);
  fc.assert(
    fc.property(
      fc.array(anyFinite, { maxLength: 12 }),
      fc.array(anyFinite, { maxLength: 12 }),
      fc.constantFrom(0, 1, 1_000),
      (a, b, stepUs) => {
        const inputs = [samplesOf(a, stepUs), samplesOf(b, stepUs)];
        for (const value of view.evaluate(inputs, state, CALL)) {
          if (value === undefined) continue;
          expect(Number.isFinite(value)).toBe(true);
          expect(Object.is(value, -0)).toBe(false);
        }
        view.advance(inputs, state, CALL);
      },
    ),
    { numRuns: 2_000 },
  );
});

test("location functions stay between the smallest and the largest value", () => {
  fc.assert(
    fc.property(
      fc.array(anyFinite, { minLength: 1, maxLength: 20 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, q) => {
        const samples = samplesOf(values);
        for (const name of ["mean", "median", "quantile"]) {
          const fn = FUNCTIONS.get(name);
          if (fn?.kind !== "one input") throw new Error(`${name} takes one input`);
          const value = fn.evaluate(samples, { ...CALL, settings: { q } });
          expect(value).toBeGreaterThanOrEqual(Math.min(...values));
          expect(value).toBeLessThanOrEqual(Math.max(...values));
        }
      },
    ),
  );
});

test("shape functions do not change when a signal is multiplied by a power of two, however large or small", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 4, maxLength: 20 }),
      fc.integer({ min: -1_000, max: 1_000 }),
      (values, exponent) => {
        const scaled = samplesOf(values.map((value) => value * 2 ** exponent));
        for (const name of ["skewness", "kurtosis", "crest_factor", "zero_crossings"]) {
          const fn = FUNCTIONS.get(name);
          if (fn?.kind !== "one input") throw new Error(`${name} takes one input`);
          const expected = fn.evaluate(samplesOf(values), CALL);
          expect(fn.evaluate(scaled, CALL)).toEqual(nearly(expected, 6));
        }
      },
    ),
  );
});

test("what functions share about a window never leaks into the next one", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(anyFinite, { maxLength: 8 }), { minLength: 2, maxLength: 4 }),
      (windows) => {
        const shared = new Samples();
        const pairs: unknown[][] = [];
        for (const values of windows) {
          const fresh = samplesOf(values);
          shared.reset(
            Float64Array.from(values, (_, i) => i * 1_000),
            Float64Array.from(values),
            0,
            values.length,
          );
          for (const fn of FUNCTIONS.values())
            if (fn.kind === "one input")
              pairs.push([fn.evaluate(shared, QUANTILE), fn.evaluate(fresh, QUANTILE)]);
        }
        for (const [reused, fresh] of pairs) expect(reused).toEqual(fresh);
      },
    ),
  );
});
