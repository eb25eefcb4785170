import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fitNormalization, normalize } from "../../../cloud/training/normalization.ts";

const fit = (rows: readonly (readonly number[])[]) =>
  fitNormalization(
    Float64Array.from(rows.flat()),
    (rows[0] ?? []).map((_, i) => `f${i}`),
    rows.map((_, row) => row),
  );

test("normalised inputs have mean 0 and variance 1 over the fitted rows, whatever their unit", () => {
  const cells = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 5, maxLength: 40 });
  fc.assert(
    fc.property(cells, fc.constantFrom(1e-6, 1, 1e9), fc.constantFrom(0, 3), (cells, unit, offset) => {
      fc.pre(Math.max(...cells) - Math.min(...cells) > 1e-3);
      const values = Float64Array.from(cells, (cell) => (cell + offset) * unit);
      const rows = cells.map((_, row) => row);
      const normalized = normalize(values, rows, { ...fitNormalization(values, ["a"], rows), width: 1 });
      const mean = normalized.reduce((a, b) => a + b, 0) / normalized.length;
      const variance = normalized.reduce((sum, value) => sum + (value - mean) ** 2, 0) / normalized.length;
      expect(mean).toBeCloseTo(0, 6);
      expect(variance).toBeCloseTo(1, 6);
    }),
  );
});

test("a missing value is left out of mean and scale, and becomes the average", () => {
  const values = Float64Array.from([1, NaN, 3]);
  const fitted = fitNormalization(values, ["a"], [0, 1, 2]);
  expect([...fitted.mean, ...fitted.scale]).toEqual([2, 1]);
  expect([...normalize(values, [0, 1, 2], { ...fitted, width: 1 })]).toEqual([-1, 0, 1]);
});

test("only the given rows count", () => {
  const fitted = fitNormalization(Float64Array.from([1, 3, 1_000]), ["a"], [0, 1]);
  expect([...fitted.mean]).toEqual([2]);
});

test("a feature that is constant up to rounding, missing or boundless is dropped with its reason", () => {
  const { inputs, columns, dropped } = fit([
    [1, 0.1 + 0.2, NaN, 1e200, 5],
    [2, 0.3, NaN, -1e200, 5],
  ]);
  expect({ inputs, columns }).toEqual({ inputs: ["f0"], columns: [0] });
  expect(dropped.map(({ feature, reason }) => `${feature} ${reason}`)).toEqual([
    "f1 constant",
    "f2 missing",
    "f3 unbounded",
    "f4 constant",
  ]);
});

test("rows in which nothing varies are refused, with the reason of each feature", () => {
  expect(() => fit([[5, NaN]])).toThrow(
    expect.objectContaining({ code: "training.no_inputs", hint: "f0: constant, f1: missing" }),
  );
});
