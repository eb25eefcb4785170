import * as fc from "fast-check";
import { expect, test } from "vitest";
import { MetricRate } from "../../../edge/decode/metric-rate.ts";
import { ModelRate } from "./contract-models.ts";

const NEVER = { newestUs: -Infinity, filledUntilUs: -Infinity };

const intervalUs = fc.constantFrom(1_000, 10_000, 100_000, 500_000, 1_000_000, 10_000_000);
/** In units of the interval, so that every rate is met at its limit. */
const gaps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.double({ min: 0, max: 1.2, noNaN: true }) },
    { weight: 3, arbitrary: fc.constantFrom(0, 1) },
    { weight: 1, arbitrary: fc.double({ min: -3, max: 30, noNaN: true }) },
  ),
  { maxLength: 200, size: "max" },
);

test("a metric's rate refuses what a leaking bucket refuses, restarted wherever you like", () => {
  let exceeded = 0;
  fc.assert(
    fc.property(intervalUs, gaps, fc.integer({ min: 1, max: 20 }), (interval, drawn, restartEvery) => {
      const model = new ModelRate(interval);
      const hz = 1_000_000 / interval;
      let rate = new MetricRate(hz, NEVER);
      let atUs = 1_700_000_000_000_000;
      for (const [i, gap] of drawn.entries()) {
        atUs += Math.round(gap * interval);
        if (i % restartEvery === 0) rate = new MetricRate(hz, structuredClone(rate.state()));
        const isExceeded = rate.exceeds(atUs);
        exceeded += Number(isExceeded);
        expect(isExceeded).toBe(model.exceeds(atUs));
      }
    }),
    { numRuns: 300 },
  );
  expect(exceeded).toBeGreaterThan(300);
});

test("over any span no more passes than the rate allows and one second's worth besides", () => {
  fc.assert(
    fc.property(intervalUs, gaps, (interval, drawn) => {
      const rate = new MetricRate(1_000_000 / interval, NEVER);
      let atUs = 0;
      const passed: number[] = [];
      for (const gap of drawn) {
        atUs += Math.abs(Math.round(gap * interval));
        if (!rate.exceeds(atUs)) passed.push(atUs);
      }
      const burst = Math.max(1_000_000, interval * 1.5);
      const tooMany = passed.flatMap((from, i) =>
        passed.slice(i).filter((to, j) => (j + 1) * interval > to - from + burst),
      );
      expect(tooMany).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test("a device that keeps its rate passes, with half an interval of jitter, and its backlog passes too", () => {
  const rate = new MetricRate(1, NEVER);
  const jitter = [0, 400, -90, 250, 0, -400, 499];
  const times = Array.from({ length: 1_000 }, (_, i) => (i + 1) * 1_000_000 + (jitter[i % 7] ?? 0) * 500);
  expect(times.filter((atUs) => rate.exceeds(atUs))).toEqual([]);
  // What it had kept from before comes while it sends what is new.
  const backlog = times.slice(0, 500);
  expect(backlog.filter((atUs) => rate.exceeds(atUs))).toEqual([]);
});
