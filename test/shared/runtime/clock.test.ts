import { isoTime, parseIsoUs, SimulatedClock, systemClock } from "@sluice/shared/runtime/clock.ts";
import { assert, integer, property } from "fast-check";
import { expect, test } from "vitest";

test("simulated time moves only when told, and wakes sleepers in the order of their times", async () => {
  const clock = new SimulatedClock(1_000_000);
  const woken: string[] = [];
  const sleep = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(ms);
    woken.push(`${name} at ${clock.nowUs()}`);
  };
  const sleeping = Promise.all([sleep("late", 30), sleep("early", 10)]);
  await clock.advance(9);
  expect(woken).toEqual([]);
  await clock.advance(41);
  await sleeping;
  expect(woken).toEqual(["early at 1010000", "late at 1030000"]);
  expect(clock.nowUs()).toBe(1_050_000);
});

test.each([
  ["the system's clock", () => systemClock],
  ["a simulated clock", () => new SimulatedClock(0)],
])("a sleep on %s ends at once when its signal aborts, before or during it", async (_name, make) => {
  const clock = make();
  const stopping = new AbortController();
  const during = clock.sleep(3_600_000, stopping.signal);
  stopping.abort();
  await expect(during).resolves.toBeUndefined();
  await expect(clock.sleep(3_600_000, stopping.signal)).resolves.toBeUndefined();
});

test("the system's wall clock agrees with the machine's to a few milliseconds, in whole microseconds", () => {
  const nowUs = systemClock.nowUs();
  expect(Number.isInteger(nowUs)).toBe(true);
  expect(Math.abs(nowUs / 1_000 - Date.now())).toBeLessThan(50);
});

test("a time in milliseconds survives being written as ISO 8601", () => {
  assert(
    property(integer({ min: 0, max: 4_102_444_800_000 }), (ms) => {
      expect(parseIsoUs(isoTime(ms * 1_000))).toBe(ms * 1_000);
    }),
  );
  expect(parseIsoUs("yesterday")).toBeNaN();
});
