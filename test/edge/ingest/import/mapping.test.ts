import { Instant } from "@sluice/shared/contract/instant.ts";
import { expect, test } from "vitest";
import { type MappingOptions, planMapping } from "../../../../edge/ingest/import/mapping.ts";

const OPTIONS: MappingOptions = {
  device: "p1",
  timeUnit: "iso",
  utcOffset: "Z",
  arrivalTime: false,
  ignore: [],
};

/** The time that a mapped row has. */
const timeOf = (row: ReturnType<ReturnType<typeof planMapping>>): unknown =>
  "malformed" in row ? undefined : row[1];

const US = Date.UTC(2026, 0, 2, 3, 4, 5) * 1_000;

test("every column that is neither time nor device nor ignored is a metric, with its number where it is one", () => {
  const map = planMapping(["time", "flow", "state", "note"], { ...OPTIONS, ignore: ["note"] });
  expect(map(["2026-01-02T03:04:05Z", " 1.5 ", "on", "x"])).toEqual(["p1", US, { flow: 1.5, state: "on" }]);
  expect(map(["2026-01-02 03:04:05", "", null, "x"])).toEqual(["p1", US, {}]);
  expect(map(["2026-01-02T03:04:05+02:00", true, 7, "x"])).toEqual([
    "p1",
    US - 7_200_000_000,
    { flow: 1, state: 7 },
  ]);
  expect(map(["2026-01-02T03:04:05Z", "1"])).toEqual({ malformed: "2 fields, not 4" });
});

test("a time without a zone is in the zone that was said, and a text that is no time is handed on as it is", () => {
  const map = planMapping(["time", "flow"], { ...OPTIONS, utcOffset: "+02:00" });
  expect(timeOf(map(["2026-01-02T03:04:05", 1]))).toBe(US - 7_200_000_000);
  expect(timeOf(map(["2026-01-02T03:04:05Z", 1]))).toBe(US);
  expect(timeOf(map(["soon", 1]))).toBe("soon");
  expect(timeOf(map([new Instant(US + 7), 1]))).toBe(US + 7);
  expect(timeOf(map([new Instant(NaN), 1]))).toBe("out of range");
  const numbers = planMapping(["time", "flow"], { ...OPTIONS, timeUnit: "ms" });
  expect(timeOf(numbers([String(US / 1_000), 1]))).toBe(US);
});

test("one row may be one value, with columns for the metric's name, the value and the device", () => {
  const map = planMapping(["when", "machine", "name", "value"], {
    ...OPTIONS,
    device: undefined,
    deviceColumn: "machine",
    timeColumn: "when",
    metricColumn: "name",
    valueColumn: "value",
  });
  expect(map(["2026-01-02T03:04:05Z", "m7", "flow", "2"])).toEqual(["m7", US, { flow: 2 }]);
});

const WRONG: readonly (readonly [string, readonly string[], Partial<MappingOptions>])[] = [
  ["say --time-column (one of a, b), or --arrival-time", ["a", "b"], {}],
  ["say --time-column (one of time, ts, b)", ["time", "ts", "b"], {}],
  ['--time-column "when" is not a column of the file: time, b', ["time", "b"], { timeColumn: "when" }],
  ['the file has one column, "time;b": is --delimiter', ["time;b"], {}],
  ["say either --device or --device-column", ["time", "b"], { deviceColumn: "b" }],
  ["say either --device or --device-column", ["time", "b"], { device: undefined }],
  ["--metric-column and --value-column go together", ["time", "b"], { metricColumn: "b" }],
  ["no column is left that could be a metric", ["time", "b"], { ignore: ["b"] }],
  ['"c" is not a column of the file: time, b', ["time", "b"], { metrics: ["c"] }],
];

test.each(WRONG)("refuses: %s", (words, columns, options) => {
  expect(() => planMapping(columns, { ...OPTIONS, ...options })).toThrow(words);
});
