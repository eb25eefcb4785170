import { expect, test } from "vitest";
import { RECENT_BYTES_MAX, type RecentGroup, RecentGroups } from "../../../edge/buffer/recent-groups.ts";

const groupOf = (first: number, count: number, more: Partial<RecentGroup> = {}): RecentGroup => ({
  first,
  count,
  bytes: new Uint8Array(count),
  stamp: { bootId: "boot", monotonicUs: 0, wallUs: 0 },
  ...more,
});

test("the group that holds an offset is found, and those before it are let go", () => {
  const groups = new RecentGroups();
  for (const first of [0, 10, 20]) groups.add(groupOf(first, 10));
  expect(groups.take(15)?.first).toBe(10);
  expect(groups.take(10)?.first).toBe(10);
  expect(groups.take(5)).toBeUndefined();
  expect(groups.take(29)?.first).toBe(20);
  expect(groups.take(30)).toBeUndefined();
});

test("memory is given back of groups that are worked off whole and nobody else has, and of no others", () => {
  const groups = new RecentGroups();
  const all = [0, 10, 20].map((first) => groupOf(first, 10, { isOurs: first !== 0 }));
  for (const group of all) groups.add(group);
  groups.release(24);
  expect(all.map(({ bytes }) => bytes.length)).toEqual([10, 0, 10]);
  expect(groups.take(5)).toBeUndefined();
  expect(groups.take(24)?.first).toBe(20);
});

test("of more bytes than are held the newest stay", () => {
  const groups = new RecentGroups();
  const bytes = new Uint8Array(RECENT_BYTES_MAX / 4);
  for (let n = 0; n < 10; n++) groups.add(groupOf(n, 1, { bytes }));
  expect(groups.take(5)).toBeUndefined();
  expect(groups.take(6)?.first).toBe(6);
});
