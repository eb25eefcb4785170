import { createScorer } from "@sluice/shared/model/scorer.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { expect, test } from "vitest";
import { fitPca } from "../../../cloud/training/pca.ts";
import { quantile } from "../../../cloud/training/quantile.ts";

/** Two causes behind six inputs, unit variance each, and a little noise. */
function rows(count: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  return Float64Array.from(
    Array.from({ length: count }, () => {
      const [a, b] = [random.normal(), random.normal()];
      return [a, b, (a + b) / Math.SQRT2, (a - b) / Math.SQRT2, a, b].map((x) => x + 0.05 * random.normal());
    }).flat(),
  );
}

const options = { inputs: 6, variance: 0.95, limitQuantile: 0.99 };

test("as many components are taken as there are causes", () => {
  const { components, explained, weights } = fitPca(rows(500, 1), rows(200, 2), options);
  expect(components).toBe(2);
  expect(explained).toBeGreaterThan(0.99);
  expect(weights).toHaveLength(2 * 6 + 2);
});

test("the limits are the held-out quantiles of T² and Q, so that about the wanted share scores above 1", () => {
  const heldOut = rows(2_000, 3);
  const { components, weights, t2Limit, qLimit } = fitPca(rows(500, 1), heldOut, options);
  const manifest = {
    inputs: ["a", "b", "c", "d", "e", "f"],
    normalization: { mean: Array<number>(6).fill(0), scale: Array<number>(6).fill(1) },
    network: { kind: "pca" as const, components, t2Limit, qLimit },
  };
  const scorer = createScorer({ manifest, weights });
  const above = Array.from(
    { length: 2_000 },
    (_, i) => scorer.score(heldOut.subarray(i * 6, i * 6 + 6)).score,
  ).filter((score) => score > 1);
  // Each statistic exceeds its limit on 1 % of the rows; together on 1 to 2 %.
  expect(above.length / 2_000).toBeGreaterThanOrEqual(0.009);
  expect(above.length / 2_000).toBeLessThanOrEqual(0.02);
});

test("one direction is always left to Q, and a single input has only T²", () => {
  const all = fitPca(rows(300, 1), rows(100, 2), { ...options, variance: 0.999999 });
  expect(all.components).toBeLessThanOrEqual(5);
  const single = fitPca(Float64Array.from([1, -1, 1, -1]), Float64Array.from([1, -1]), {
    ...options,
    inputs: 1,
  });
  expect(single).toMatchObject({ components: 1, t2Limit: 1, qLimit: 1 });
});

test("inputs that are copies of each other give finite limits", () => {
  const random = seededRandom(4);
  const copies = Float64Array.from(
    Array.from({ length: 100 }, () => random.normal()).flatMap((x) => [x, x, x]),
  );
  const fit = fitPca(copies, copies, { ...options, inputs: 3 });
  expect(fit.components).toBe(1);
  expect([fit.t2Limit, fit.qLimit].every((limit) => Number.isFinite(limit) && limit > 0)).toBe(true);
});

test("a quantile is the smallest value that the share does not exceed", () => {
  const values = Float64Array.from([5, 1, 4, 2, 3]);
  expect([0, 0.2, 0.21, 0.8, 0.995, 1].map((share) => quantile(values, share))).toEqual([1, 1, 2, 4, 5, 5]);
  expect(quantile(new Float64Array(0), 0.5)).toBeNaN();
});
