import { powerOfTwoFrom, transform, transformReal } from "@sluice/shared/features/fft.ts";
import { naturalLog } from "@sluice/shared/features/logarithm.ts";
import { cosineOfTurns, sineOfTurns } from "@sluice/shared/features/turns.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const noise = (seed: number, length: number): Float64Array => {
  const random = seededRandom(seed);
  return Float64Array.from({ length }, () => random.next() * 2 - 1);
};

test("sine and cosine of turns are those of the standard library within a few units in the last place", () => {
  fc.assert(
    fc.property(fc.double({ min: -4, max: 4, noNaN: true }), (turns) => {
      const angle = 2 * Math.PI * (turns - Math.round(turns));
      expect(Math.abs(cosineOfTurns(turns) - Math.cos(angle))).toBeLessThan(1e-15);
      expect(Math.abs(sineOfTurns(turns) - Math.sin(angle))).toBeLessThan(1e-15);
    }),
  );
});

test("sine and cosine are exact at quarters of a turn and symmetric everywhere", () => {
  expect([0, 0.25, 0.5, 0.75, 1].map(cosineOfTurns)).toEqual([1, 0, -1, 0, 1]);
  expect([0.25, 0.75, -0.25].map(sineOfTurns)).toEqual([1, -1, -1]);
  const asymmetric = Array.from({ length: 4_097 }, (_, k) => k / 4_096).filter(
    (turns) =>
      cosineOfTurns(-turns) !== cosineOfTurns(turns) ||
      sineOfTurns(-turns) !== -sineOfTurns(turns) ||
      cosineOfTurns(turns + 1) !== cosineOfTurns(turns) ||
      cosineOfTurns(turns) !== -cosineOfTurns(0.5 - turns) ||
      sineOfTurns(turns) !== sineOfTurns(0.5 - turns),
  );
  expect(asymmetric).toEqual([]);
});

test("the logarithm is that of the standard library within a few units in the last place, denormals too", () => {
  expect(naturalLog(1)).toBe(0);
  fc.assert(
    fc.property(fc.double({ min: Number.MIN_VALUE, noNaN: true, noDefaultInfinity: true }), (value) => {
      const expected = Math.log(value);
      expect(Math.abs(naturalLog(value) - expected)).toBeLessThanOrEqual(Math.abs(expected) * 1e-15);
    }),
  );
});

test("the transform is the sum that defines it", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 7 }), (seed, bits) => {
      const n = 2 ** bits;
      const [re, im] = [noise(seed, n), noise(seed + 1, n)];
      const done = { re: re.slice(), im: im.slice() };
      transform(done);
      for (let k = 0; k < n; k++) {
        let [x, y] = [0, 0];
        for (let j = 0; j < n; j++) {
          const [c, s] = [Math.cos((2 * Math.PI * j * k) / n), -Math.sin((2 * Math.PI * j * k) / n)];
          x += (re[j] ?? 0) * c - (im[j] ?? 0) * s;
          y += (re[j] ?? 0) * s + (im[j] ?? 0) * c;
        }
        expect(done.re[k]).toBeCloseTo(x, 10);
        expect(done.im[k]).toBeCloseTo(y, 10);
      }
    }),
  );
});

test("with its columns exchanged the transform undoes itself", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 12 }), (seed, bits) => {
      const n = 2 ** bits;
      const [re, im] = [noise(seed, n), noise(seed + 1, n)];
      const done = { re: re.slice(), im: im.slice() };
      transform(done);
      transform({ re: done.im, im: done.re });
      for (let i = 0; i < n; i++) {
        expect((done.re[i] ?? 0) / n).toBeCloseTo(re[i] ?? Number.NaN, 12);
        expect((done.im[i] ?? 0) / n).toBeCloseTo(im[i] ?? Number.NaN, 12);
      }
    }),
  );
});

test("the transform of real numbers is half of the complex one", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 2, max: 12 }), (seed, bits) => {
      const values = noise(seed, 2 ** bits);
      const full = { re: values.slice(), im: new Float64Array(values.length) };
      transform(full);
      const half = transformReal(values);
      expect(half.re.length).toBe(values.length / 2 + 1);
      for (let k = 0; k < half.re.length; k++) {
        expect(half.re[k]).toBeCloseTo(full.re[k] ?? Number.NaN, 10);
        expect(half.im[k]).toBeCloseTo(full.im[k] ?? Number.NaN, 10);
      }
    }),
  );
});

test("the power of two from a number on is the least that holds it", () => {
  expect([1, 2, 3, 16, 17, 12_000].map(powerOfTwoFrom)).toEqual([1, 2, 4, 16, 32, 16_384]);
});
