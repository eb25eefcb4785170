import { isoTime } from "@sluice/shared/runtime/clock.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { timeReader } from "../../../simulators/replay/time-format.ts";

const read = (format: string, text: string, zone = "UTC"): number =>
  timeReader(format, zone)?.(text) ?? Number.NaN;

test("every second that is written in a pattern is read back, in every zone", () => {
  fc.assert(
    fc.property(fc.integer({ min: -2_000_000_000, max: 8_000_000_000 }), (second) => {
      const iso = isoTime(second * 1e6);
      const [date = "", time = ""] = iso.slice(0, 19).split("T");
      const [year = "", month = "", day = ""] = date.split("-");
      expect(read("YYYY-MM-DD HH:mm:ss", `${date} ${time}`)).toBe(second * 1e6);
      expect(read("DD.MM.YYYY HH:mm:ss", `${day}.${month}.${year} ${time}`)).toBe(second * 1e6);
      expect(read("YYYY-MM-DD HH:mm:ss", `${date} ${time}`, "+05:30")).toBe((second - 19_800) * 1e6);
      expect(read("YYYY-MM-DD HH:mm:ss", `${date} ${time}`, "-08:00")).toBe((second + 28_800) * 1e6);
      expect(read("iso", iso)).toBe(second * 1e6);
    }),
  );
});

test("parts of a second and unix times are read to the microsecond", () => {
  expect(read("YYYY-MM-DDTHH:mm:ss.SSS", "1970-01-01T00:00:01.5")).toBe(1_500_000);
  expect(read("YYYY-MM-DDTHH:mm:ss.SSS", "1970-01-01T00:00:01.000007")).toBe(1_000_007);
  expect(read("unix_s", "1.000007")).toBe(1_000_007);
  expect(read("unix_ms", "1700000000000")).toBe(1_700_000_000_000_000);
  expect(read("unix_us", "12")).toBe(12);
  expect(read("YYYY-MM-DD", "1970-01-02")).toBe(86_400_000_000);
});

test("what is no time is not guessed at", () => {
  const pattern = "YYYY-MM-DD HH:mm:ss";
  for (const text of [
    "",
    "yesterday",
    "2020-13-01 00:00:00",
    "2020-00-01 00:00:00",
    "2021-02-29 00:00:00",
    "2020-04-31 00:00:00",
    "2020-01-01 24:00:00",
    "2020-01-01 00:60:00",
    "2020-01-01 00:00:00Z",
    "2020-01-01",
  ])
    expect(`${text}: ${read(pattern, text)}`).toBe(`${text}: NaN`);
  expect(read(pattern, "2020-02-29 23:59:59")).toBeGreaterThan(0);
  // Without a zone an ISO time would be read as local time: another one on each machine.
  expect(read("iso", "2020-01-01T00:00:00")).toBeNaN();
  expect(read("unix_s", "1e9")).toBeNaN();
});

test("a format without a date, with a part twice, or an unknown zone is refused", () => {
  for (const [format, zone] of [
    ["HH:mm:ss", "UTC"],
    ["YYYY-MM-DD YYYY", "UTC"],
    ["nonsense", "UTC"],
    ["YYYY-MM-DD", "Europe/Berlin"],
    ["YYYY-MM-DD", "+1"],
  ] as const)
    expect(timeReader(format, zone)).toBeUndefined();
});
