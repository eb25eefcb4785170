import { SortedReadings } from "@sluice/shared/features/sorted-readings.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const command = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({ kind: fc.constant("insert" as const), time: fc.integer({ min: 0, max: 50 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("evict" as const), time: fc.integer({ min: 0, max: 50 }) }),
  },
);

test("readings stay ordered by time, then arrival, as in a list that is sorted stably", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 400 }), (commands) => {
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
        expect(sorted.nextTime(25)).toBe(model.find((reading) => reading.time >= 25)?.time ?? Infinity);
      }
    }),
    { numRuns: 50 },
  );
});
