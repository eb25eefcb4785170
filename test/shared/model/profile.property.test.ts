import type { FeatureProfile } from "@sluice/shared/contract/bundle.ts";
import { TrainingRange } from "@sluice/shared/model/profile.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const profile = (low: number, high: number): FeatureProfile => ({
  quantiles: [low, low, low, low, low, high, high, high, high],
  missingShare: 0,
});

function outside(profiles: readonly FeatureProfile[], row: readonly (number | undefined)[]): number[] {
  const found: number[] = [];
  new TrainingRange(profiles).outside(row, (input) => found.push(input));
  return found;
}

test("a value is unlike training where it is further out than half the width of what training saw", () => {
  const profiles = [profile(0, 10), profile(5, 5)];
  expect(outside(profiles, [-5, 5])).toEqual([]);
  expect(outside(profiles, [15, 5])).toEqual([]);
  expect(outside(profiles, [-5.1, 5.1])).toEqual([0, 1]);
  expect(outside(profiles, [15.1, 4.9])).toEqual([0, 1]);
  expect(outside(profiles, [undefined, undefined])).toEqual([]);
  expect(outside([], [1e9])).toEqual([]);
});

test("what training saw is never unlike it, of whatever magnitude", () => {
  const any = fc.double({ noNaN: true, noDefaultInfinity: true });
  fc.assert(
    fc.property(any, any, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, share) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      const between = Math.min(high, Math.max(low, low * (1 - share) + high * share));
      expect(outside([profile(low, high)], [low])).toEqual([]);
      expect(outside([profile(low, high)], [high])).toEqual([]);
      expect(outside([profile(low, high)], [between])).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});
