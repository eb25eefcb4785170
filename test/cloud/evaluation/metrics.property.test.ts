import * as fc from "fast-check";
import { expect, test } from "vitest";
import { addConfusions, confusionOf, ratesOf, rocAuc } from "../../../cloud/evaluation/metrics.ts";

const flags = (length: number) => fc.array(fc.constantFrom(0, 1), { minLength: length, maxLength: length });
const pairs = fc.integer({ min: 0, max: 40 }).chain((n) => fc.tuple(flags(n), flags(n)));

test("every row is counted once, and the parts of pooled results add up", () => {
  fc.assert(
    fc.property(pairs, fc.nat(40), ([alarms, truth], cut) => {
      const whole = confusionOf(Uint8Array.from(alarms), Uint8Array.from(truth));
      const parts = [
        confusionOf(Uint8Array.from(alarms.slice(0, cut)), Uint8Array.from(truth.slice(0, cut))),
        confusionOf(Uint8Array.from(alarms.slice(cut)), Uint8Array.from(truth.slice(cut))),
      ];
      expect(Object.values(whole).reduce((a, b) => a + b)).toBe(alarms.length);
      expect(addConfusions(parts)).toEqual(whole);
    }),
  );
});

test("the rates are the textbook's", () => {
  expect(ratesOf({ hits: 30, missed: 10, falseAlarms: 5, quiet: 55 })).toEqual({
    f1: 30 / 37.5,
    falseAlarmRate: 5 / 60,
    missedAlarmRate: 0.25,
    balancedAccuracy: 1 - (5 / 60 + 0.25) / 2,
  });
});

test("a rate without a case to be a share of is undefined, not zero", () => {
  expect(ratesOf({ hits: 0, missed: 0, falseAlarms: 1, quiet: 9 })).toEqual({
    f1: undefined,
    falseAlarmRate: 0.1,
    missedAlarmRate: undefined,
    balancedAccuracy: undefined,
  });
  expect(ratesOf({ hits: 1, missed: 1, falseAlarms: 0, quiet: 0 })).toMatchObject({
    falseAlarmRate: undefined,
    missedAlarmRate: 0.5,
    balancedAccuracy: undefined,
  });
});

test("the area under the ROC curve is the share of pairs that the scores order rightly, ties counting half", () => {
  const scored = fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.constantFrom(0, 1)), { maxLength: 40 });
  fc.assert(
    fc.property(scored, (rows) => {
      const faulty = rows.filter(([, truth]) => truth === 1);
      const healthy = rows.filter(([, truth]) => truth === 0);
      let wins = 0;
      for (const [high] of faulty)
        for (const [low] of healthy) wins += high > low ? 1 : high === low ? 0.5 : 0;
      const expected = faulty.length * healthy.length === 0 ? -1 : wins / (faulty.length * healthy.length);
      const scores = Float64Array.from(rows, ([score]) => score);
      const area = rocAuc(
        scores,
        Uint8Array.from(rows, ([, truth]) => truth),
      );
      expect(area ?? -1).toBeCloseTo(expected, 12);
    }),
  );
});
