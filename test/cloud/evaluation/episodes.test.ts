import { expect, test } from "vitest";
import { countEpisodes } from "../../../cloud/evaluation/episodes.ts";
import { testRows } from "./test-set.ts";

const bits = (text: string): (0 | 1)[] => Array.from(text, (digit) => (digit === "1" ? 1 : 0));
const count = (truth: string, alarms: string, gaps: readonly number[] = []) => {
  const rows = testRows(Array<number>(truth.length).fill(0), bits(truth));
  // A gap before a row moves it and all after it on by ten seconds.
  const shiftUs = (row: number): number => gaps.filter((gap) => gap <= row).length * 10_000_000;
  const moved = {
    ...rows,
    windowStartUs: rows.windowStartUs.map((us, row) => us + shiftUs(row)),
    windowEndUs: rows.windowEndUs.map((us, row) => us + shiftUs(row)),
  };
  return countEpisodes(moved, Uint8Array.from(bits(alarms)));
};

test("alarms in a row are one alarm, and a fault is found by one of its windows", () => {
  expect(count("0001110000", "0110011010")).toEqual({ alarms: 3, falseAlarms: 2, faults: 1, found: 1 });
});

test("a fault without an alarm is not found, and no alarm is no episode", () => {
  expect(count("0110011000", "0000010000")).toEqual({ alarms: 1, falseAlarms: 0, faults: 2, found: 1 });
  expect(count("000", "000")).toEqual({ alarms: 0, falseAlarms: 0, faults: 0, found: 0 });
});

test("a gap in time ends an episode", () => {
  expect(count("0000", "1111", [2])).toMatchObject({ alarms: 2 });
});

test("two devices that alarm at once are two alarms", () => {
  const rows = { ...testRows([0, 0, 0, 0]), device: ["a", "b", "a", "b"] };
  expect(countEpisodes(rows, Uint8Array.of(1, 1, 0, 1))).toMatchObject({ alarms: 3 });
});
