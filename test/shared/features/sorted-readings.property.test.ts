import { SortedReadings } from "@sluice/shared/features/sorted-readings.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

/** Crowded, and now and then far away, so that a place is guessed well and badly. */
const time = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 50 }) },
  { weight: 3, arbitrary: fc.integer({ min: 40, max: 3_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 1_000_000_000 }) },
);

const command = fc.oneof(
  { weight: 30, arbitrary: fc.record({ kind: fc.constant("insert" as const), time }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("evict" as const), time: fc.integer({ min: 0, max: 50 }) }),
  },
);

test("readings stay ordered by time, then arrival, as in a list that is sorted stably", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 400, size: "max" }), (commands) => {
      const sorted = new SortedReadings();
      let model: { time: number; value: number }[] = [];
      for (const [value, { kind, time }] of commands.entries()) {
        if (kind === "insert") {
          sorted.insert(time, value);
          model = [...model, { time, value }].sort((a, b) => a.time - b.time);
        } else {
          sorted.evict(time);
          model = model.filter((reading) => reading.time >= time);
        }
        const { times, values } = sorted.live();
        expect([...times]).toEqual(model.map((reading) => reading.time));
        expect([...values]).toEqual(model.map((reading) => reading.value));
        for (const asked of [25, time, time + 1, 2_000]) {
          expect(sorted.nextTime(asked)).toBe(model.find((each) => each.time >= asked)?.time ?? Infinity);
          expect(sorted.previousTime(asked)).toBe(
            model.findLast((each) => each.time < asked)?.time ?? -Infinity,
          );
        }
      }
    }),
    { numRuns: 50 },
  );
});
