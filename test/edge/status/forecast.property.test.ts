import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type DiskFacts, drainS, forecast } from "../../../edge/status/forecast.ts";

const disk: fc.Arbitrary<DiskFacts> = fc
  .record({
    usedBytes: fc.integer({ min: 0, max: 1e9 }),
    roomUntilBytes: fc.integer({ min: 1e6, max: 1e9 }),
    whenFull: fc.constantFrom("shed", "refuse"),
    thinningMax: fc.constantFrom(1, 2, 16),
    spareShare: fc.double({ min: 0, max: 1, noNaN: true }),
    thinnable: fc.array(
      fc.record({ step: fc.constantFrom(0, 1, 2), bytes: fc.integer({ min: 0, max: 1e6 }) }),
      { maxLength: 4 },
    ),
  })
  .map(({ spareShare, ...rest }) => ({ ...rest, spareRawBytes: rest.usedBytes * spareShare }));

const rate = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1e6 }));
const growth = fc.record({ readingsBytesPerS: rate, otherBytesPerS: rate });

test("a disk lasts until what comes in has used up its room, and no shorter before readings are dropped", () => {
  fc.assert(
    fc.property(disk, growth, (disk, growth) => {
      const { hoursLeft, hoursUntilDropped } = forecast(disk, growth);
      const bytesPerS = growth.readingsBytesPerS + growth.otherBytesPerS;
      const thins = disk.whenFull === "shed" && disk.thinningMax > 1;
      const roomBytes = Math.max(0, disk.roomUntilBytes - disk.usedBytes + disk.spareRawBytes);
      expect(hoursLeft === undefined).toBe(bytesPerS === 0);
      expect((hoursLeft ?? 0) * 3_600 * bytesPerS).toBeCloseTo(bytesPerS === 0 ? 0 : roomBytes, 0);
      expect(hoursUntilDropped === undefined).toBe(!thins || bytesPerS === 0);
      expect(hoursUntilDropped ?? Infinity).toBeGreaterThanOrEqual(hoursLeft ?? 0);
    }),
  );
});

test("a backlog drains by what is delivered beyond what comes in, and does not where that is nothing", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e9 }),
      rate,
      rate,
      (bytes, arrivalBytesPerS, deliveredBytesPerS) => {
        const seconds = drainS({ bytes, arrivalBytesPerS, deliveredBytesPerS });
        // Either it hardly gets less, or it takes as long as it would without anything coming in, or longer.
        const hardlyLess = deliveredBytesPerS * 0.95 <= arrivalBytesPerS + 1;
        expect(seconds === undefined ? hardlyLess : seconds >= bytes / deliveredBytesPerS).toBe(true);
      },
    ),
  );
  expect(drainS({ bytes: 0, arrivalBytesPerS: 5, deliveredBytesPerS: 0 })).toBe(0);
  expect(drainS({ bytes: 9, arrivalBytesPerS: 0, deliveredBytesPerS: 0 })).toBeUndefined();
  expect(drainS({ bytes: 1_000, arrivalBytesPerS: 100, deliveredBytesPerS: 300 })).toBe(5);
  // Ten seconds' worth, delivered as fast as it comes: a gateway that keeps up.
  expect(drainS({ bytes: 1_000, arrivalBytesPerS: 100, deliveredBytesPerS: 100 })).toBe(10);
});
