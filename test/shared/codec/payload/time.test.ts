import { eventTimeUs, parseIsoTimeUs } from "@sluice/shared/codec/payload/time.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

test.each([
  [1_700_000_000, "s", 1_700_000_000_000_000],
  [1_700_000_000.123456, "s", 1_700_000_000_123_456],
  [1_700_000_000_123.4, "ms", 1_700_000_000_123_400],
  [1_700_000_000_123_456, "us", 1_700_000_000_123_456],
  [1_700_000_000_123_456_000, "ns", 1_700_000_000_123_456],
  ["1700000000.5", "s", 1_700_000_000_500_000],
  [-1, "ms", -1_000],
  ["2023-11-14T22:13:20Z", "iso", 1_700_000_000_000_000],
] as const)("%s in %s is %d microseconds", (value, unit, us) => {
  expect(eventTimeUs(value, unit)).toBe(us);
});

test.each([
  [null, "ms"],
  [true, "ms"],
  ["", "ms"],
  ["soon", "ms"],
  ["0x10", "ms"],
  [Number.NaN, "ms"],
  [Infinity, "s"],
  [1e300, "s"],
  [{}, "us"],
  [1_700_000_000, "iso"],
] as const)("%j is no time in %s", (value, unit) => {
  expect(eventTimeUs(value, unit)).toBeNaN();
});

test.each([
  ["2024-02-29T23:59:59.999999Z", Date.UTC(2024, 1, 29, 23, 59, 59) * 1_000 + 999_999],
  ["2024-01-01T01:30:00+01:30", Date.UTC(2024, 0, 1) * 1_000],
  ["2023-12-31t20:00:00-0400", Date.UTC(2024, 0, 1) * 1_000],
  ["2024-01-01 00:00Z", Date.UTC(2024, 0, 1) * 1_000],
  ["2024-01-01T00:00:00,5Z", Date.UTC(2024, 0, 1) * 1_000 + 500_000],
  ["2024-01-01T00:00:00.123456789Z", Date.UTC(2024, 0, 1) * 1_000 + 123_456],
  ["1969-12-31T23:59:59.5Z", -500_000],
  ["0001-01-01T00:00:00Z", -62_135_596_800_000_000],
])("%s is read to the microsecond", (text, us) => {
  expect(parseIsoTimeUs(text)).toBe(us);
});

test.each([
  "2024-01-01T00:00:00",
  "2023-02-29T00:00:00Z",
  "2024-13-01T00:00:00Z",
  "2024-04-31T00:00:00Z",
  "2024-01-01T24:00:00Z",
  "2024-01-01T00:60:00Z",
  "2024-01-01T00:00:60Z",
  "2024-01-01",
  "1 Jan 2024 00:00 UTC",
  " 2024-01-01T00:00:00Z",
])("%s is no time, or has no zone", (text) => {
  expect(parseIsoTimeUs(text)).toBeNaN();
});

test("any millisecond of four-digit years is read as the platform prints it", () => {
  const range = { min: new Date("0000-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59.999Z") };
  fc.assert(
    fc.property(fc.date({ ...range, noInvalidDate: true }), (date) => {
      expect(parseIsoTimeUs(date.toISOString())).toBe(date.getTime() * 1_000);
    }),
  );
});
