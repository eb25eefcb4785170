import { Inbox, WAITING_MAX } from "@sluice/shared/features/inbox.ts";
import { expect, test } from "vitest";

const drained = (inbox: Inbox, place: number): number[][] => {
  const all: number[][] = [];
  inbox.drain(place, (metric, timeUs, value) => {
    all.push([metric, timeUs, value]);
  });
  return all;
};

test("a new device's readings do not wait before it is known which may", () => {
  const inbox = new Inbox();
  const place = inbox.add(-Infinity);
  expect(inbox.put(place, 0, 5, 1)).toBe(false);
});

test("readings wait in order, within the times that are open, and come out as they came", () => {
  const inbox = new Inbox();
  const [one, other] = [inbox.add(10), inbox.add(10)];
  inbox.open(one, 10, 20);
  expect(inbox.put(one, 0, 9, 1)).toBe(false);
  expect(inbox.put(one, 0, 12, 1)).toBe(true);
  expect(inbox.put(one, 1, 12, 2)).toBe(true);
  expect(inbox.put(one, 0, 11, 3)).toBe(false);
  expect(inbox.put(one, 0, 20, 4)).toBe(false);
  expect(inbox.newestUs(one)).toBe(12);
  expect(drained(inbox, other)).toEqual([]);
  expect(drained(inbox, one)).toEqual([
    [0, 12, 1],
    [1, 12, 2],
  ]);
  expect(drained(inbox, one)).toEqual([]);
});

test("a full row takes no more, and every device keeps its own while rows are added", () => {
  const inbox = new Inbox();
  const places = Array.from({ length: 100 }, (_, i) => inbox.add(i));
  for (const place of places) inbox.open(place, place, Infinity);
  for (const place of places)
    for (let i = 0; i < WAITING_MAX; i++) expect(inbox.put(place, 0, place + i, place)).toBe(true);
  const last = inbox.add(-Infinity);
  expect(inbox.put(last, 0, 1, 1)).toBe(false);
  for (const place of places) {
    expect(inbox.put(place, 0, 1_000, 0)).toBe(false);
    expect(drained(inbox, place)).toHaveLength(WAITING_MAX);
  }
});

test("what the newest time was before a message stays until the next message", () => {
  const inbox = new Inbox();
  const place = inbox.add(7);
  inbox.open(place, 7, Infinity);
  expect(inbox.begin(place, 3)).toBe(true);
  inbox.put(place, 0, 9, 1);
  expect(inbox.begin(place, 3)).toBe(false);
  expect(inbox.newestBeforeUs(place)).toBe(7);
  expect(inbox.begin(place, 4)).toBe(true);
  expect(inbox.newestBeforeUs(place)).toBe(9);
});
