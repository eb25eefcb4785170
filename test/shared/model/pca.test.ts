import { createPca } from "@sluice/shared/model/pca.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const number = fc.double({ min: -20, max: 20, noNaN: true });

test("with orthonormal components the parts add up to the statistic that they explain", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 6.3, noNaN: true }),
      fc.array(number, { minLength: 3, maxLength: 3 }),
      (angle, row) => {
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        const components = [
          [c, s, 0],
          [-s, c, 0],
        ];
        const variances = [2, 0.5];
        const weights = Float32Array.from([...components.flat(), ...variances]);
        const parts = new Float64Array(3);
        const score = createPca({ components: 2, t2Limit: 1, qLimit: 1 }, 3, weights).run(
          Float64Array.from(row),
          parts,
        );
        const sum = parts.reduce((a, b) => a + b, 0);
        // Single-precision components are orthonormal to seven digits.
        expect(Math.abs(sum - score)).toBeLessThanOrEqual(1e-5 * (1 + sum));
        expect(Math.min(...parts)).toBeGreaterThanOrEqual(0);
      },
    ),
  );
});
