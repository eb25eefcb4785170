import type { BreakerSettings } from "@sluice/shared/contract/device-contract.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Breaker } from "../../../edge/decode/breaker.ts";
import { ModelBreaker } from "./contract-models.ts";

const settings = fc
  .record({
    windowReadings: fc.integer({ min: 1, max: 40 }),
    violationShareMax: fc.double({ min: 0, max: 0.99, noNaN: true }),
    closeShare: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  })
  .map(({ closeShare, ...rest }): BreakerSettings => ({
    ...rest,
    closeShareMax: closeShare === undefined ? undefined : closeShare * rest.violationShareMax,
  }));

function restored(settings: BreakerSettings, before: Breaker): Breaker {
  const breaker = new Breaker(settings);
  breaker.restore(structuredClone(before.state()));
  return breaker;
}

/** Runs of good and bad values, as faults come and go. */
const values = fc
  .array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 30 })), { maxLength: 20 })
  .map((runs) => runs.flatMap(([isViolation, times]) => Array.from({ length: times }, () => isViolation)));

test("a breaker opens and closes with the value with which its definition does, restarted wherever you like", () => {
  const seen = { opened: 0, closed: 0 };
  fc.assert(
    fc.property(settings, values, fc.integer({ min: 1, max: 50 }), (drawn, judged, restartEvery) => {
      const model = new ModelBreaker(drawn);
      let breaker = new Breaker(drawn);
      for (const [i, isViolation] of judged.entries()) {
        if (i % restartEvery === 0) breaker = restored(drawn, breaker);
        const change = breaker.judge(isViolation);
        if (change !== undefined) seen[change] += 1;
        expect([change, breaker.isOpen]).toEqual([model.judge(isViolation), model.isOpen]);
      }
    }),
    { numRuns: 500 },
  );
  expect(Math.min(seen.opened, seen.closed)).toBeGreaterThan(100);
});

test("good values alone always close it, within one window", () => {
  fc.assert(
    fc.property(settings, values, (drawn, judged) => {
      const breaker = new Breaker(drawn);
      for (const isViolation of judged) breaker.judge(isViolation);
      for (let i = 0; i < drawn.windowReadings; i++) breaker.judge(false);
      expect([breaker.isOpen, breaker.violations, breaker.share]).toEqual([false, 0, 0]);
    }),
  );
});

test("between its two shares a breaker does not flap", () => {
  const breaker = new Breaker({ windowReadings: 100, violationShareMax: 0.2, closeShareMax: 0.1 });
  const changes: (string | undefined)[] = [];
  for (let i = 0; i < 22; i++) changes.push(breaker.judge(true));
  // 15 % from now on: above what closes, below what opens.
  for (let i = 0; i < 1_000; i++) changes.push(breaker.judge(i % 20 < 3));
  expect(changes.filter(Boolean)).toEqual(["opened"]);
});

test("after the window's size was changed an open breaker closes with the next good value, so that its end is told", () => {
  const before = new Breaker({ windowReadings: 100, violationShareMax: 0.2 });
  for (let i = 0; i < 50; i++) before.judge(true);
  expect(before.isOpen).toBe(true);
  const after = restored({ windowReadings: 97, violationShareMax: 0.2 }, before);
  expect([after.isOpen, after.violations]).toEqual([true, 0]);
  expect(after.judge(false)).toBe("closed");
});
