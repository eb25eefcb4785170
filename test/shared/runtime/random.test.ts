import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { assert, integer, property } from "fast-check";
import { expect, test } from "vitest";

const SAMPLES = 20_000;

test("the same seed gives the same numbers, another seed others", () => {
  const take = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 5 }, () => random.next());
  };
  expect(take(7)).toEqual(take(7));
  expect(take(7)).not.toEqual(take(8));
});

test("whatever the seed, numbers stay in their ranges", () => {
  assert(
    property(integer(), integer({ min: 1, max: 1_000_000 }), (seed, below) => {
      const random = seededRandom(seed);
      for (let i = 0; i < 20; i++) {
        const [value, whole] = [random.next(), random.int(below)];
        expect(value >= 0 && value < 1).toBe(true);
        expect(Number.isInteger(whole) && whole >= 0 && whole < below).toBe(true);
        expect(Number.isFinite(random.normal())).toBe(true);
      }
    }),
  );
});

test("uniform and normal numbers have their means and variances", () => {
  const random = seededRandom(42);
  const moments = (draw: () => number): { mean: number; variance: number } => {
    const values = Array.from({ length: SAMPLES }, draw);
    const mean = values.reduce((sum, value) => sum + value, 0) / SAMPLES;
    return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / SAMPLES };
  };
  // Five standard errors: 0.0102 and 0.035 for the means, and as wide for the variances.
  const uniform = moments(() => random.next());
  expect(Math.abs(uniform.mean - 0.5)).toBeLessThan(0.0102);
  expect(Math.abs(uniform.variance - 1 / 12)).toBeLessThan(0.003);
  const normal = moments(() => random.normal());
  expect(Math.abs(normal.mean)).toBeLessThan(0.036);
  expect(Math.abs(normal.variance - 1)).toBeLessThan(0.05);
});
