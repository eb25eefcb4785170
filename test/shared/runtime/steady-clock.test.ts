import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { steadyClock } from "@sluice/shared/runtime/steady-clock.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

/** A clock that says these times one after the other. */
function saying(times: readonly number[]): Clock {
  const left = [...times];
  return {
    nowUs: () => left.shift() ?? 0,
    monotonicUs: () => 7,
    sleep: () => Promise.resolve(),
  };
}

const all = (times: readonly number[]): number[] => {
  const clock = steadyClock(saying(times), 1_000);
  return times.map(() => clock.nowUs());
};

test("a clock that goes back a little stands still until it has caught up", () => {
  expect(all([5_000_000, 4_999_000, 4_000_000, 5_000_001])).toEqual([
    5_000_000, 5_000_000, 5_000_000, 5_000_001,
  ]);
});

test("a clock that was set back is followed, and one that was set forward too", () => {
  expect(all([9_000_000, 7_999_999, 8_000_000, 90_000_000, 1_000_000])).toEqual([
    9_000_000, 7_999_999, 8_000_000, 90_000_000, 1_000_000,
  ]);
});

test("it goes back only by steps, and is never behind the clock nor more than a step ahead", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10_000_000)), (times) => {
      for (const [i, said] of all(times).entries()) {
        const aheadUs = said - (times[i] ?? 0);
        expect(aheadUs >= 0 && aheadUs <= 1_000_000).toBe(true);
      }
      const goneBack = all(times).filter((said, i, saids) => i > 0 && said < (saids[i - 1] ?? 0));
      const stepped = all(times).filter((said, i, saids) => i > 0 && said < (saids[i - 1] ?? 0) - 1_000_000);
      expect(goneBack).toEqual(stepped);
    }),
  );
});

test("everything else is the clock's own", async () => {
  const clock = new SimulatedClock(5_000_000);
  const steady = steadyClock(clock, 1_000);
  const woken = steady.sleep(10).then(() => steady.monotonicUs());
  await clock.advance(10);
  expect(await woken).toBe(5_010_000);
});
