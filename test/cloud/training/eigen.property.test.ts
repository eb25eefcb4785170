import * as fc from "fast-check";
import { expect, test } from "vitest";
import { eigenSymmetric } from "../../../cloud/training/eigen.ts";

const symmetric = fc.integer({ min: 1, max: 8 }).chain((n) =>
  fc
    .array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: n * n, maxLength: n * n })
    .map((cells) => ({
      n,
      matrix: Float64Array.from(cells, (_, k) => {
        const [i, j] = [Math.floor(k / n), k % n];
        return cells[Math.min(i, j) * n + Math.max(i, j)] ?? 0;
      }),
    })),
);

test("eigenvectors are orthonormal, ordered by eigenvalue, and rebuild the matrix", () => {
  fc.assert(
    fc.property(symmetric, ({ n, matrix }) => {
      const { values, vectors } = eigenSymmetric(matrix, n);
      for (let i = 0; i < n; i++) {
        expect(values[i]).toBeGreaterThanOrEqual(values[i + 1] ?? -Infinity);
        for (let j = 0; j < n; j++) {
          let product = 0;
          let rebuilt = 0;
          for (let k = 0; k < n; k++) {
            product += (vectors[i * n + k] ?? 0) * (vectors[j * n + k] ?? 0);
            rebuilt += (values[k] ?? 0) * (vectors[k * n + i] ?? 0) * (vectors[k * n + j] ?? 0);
          }
          expect(product).toBeCloseTo(i === j ? 1 : 0, 9);
          expect(rebuilt).toBeCloseTo(matrix[i * n + j] ?? 0, 7);
        }
      }
    }),
  );
});

test("the eigenvalues of a known matrix are found, and each vector's largest entry is positive", () => {
  const { values, vectors } = eigenSymmetric(Float64Array.from([2, -1, -1, 2]), 2);
  expect([...values].map((value) => Number(value.toFixed(12)))).toEqual([3, 1]);
  expect(Math.max(...vectors.subarray(0, 2))).toBeCloseTo(Math.SQRT1_2, 12);
  expect([...vectors.subarray(2)].every((value) => value > 0)).toBe(true);
});
