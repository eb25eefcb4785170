import { expect, test } from "vitest";
import { GIB, parts, pipeline, statusWith } from "./sample-status.ts";

const { buffer, sync, inference, models } = pipeline;
const away = (code: string): typeof sync => ({
  ...sync,
  lake: "away",
  lastError: { code, message: "the bucket does not answer", atUs: 1_700_000_000_000_000 },
});

test("a gateway at which nothing is wrong is healthy", () => {
  expect(statusWith({})).toMatchObject({ healthy: true, problems: [], gateway: "site-1" });
});

test("a lake that is away is normal while the disk lasts", () => {
  expect(statusWith({ sync: away("store.unavailable") }).healthy).toBe(true);
  const slow = { rates: { readingsPerS: 1, bytesPerS: 100 } };
  expect(statusWith({ sync: away("store.unavailable") }, slow).healthy).toBe(true);
});

test("a lake that is away is a problem when the disk lasts for less than a day", () => {
  const fast = { rates: { readingsPerS: 1, bytesPerS: GIB / 3_600 } };
  expect(statusWith({ sync: away("store.unavailable") }, fast).problems).toEqual([
    "the lake is away, and the disk lasts for 1.0 more hours: the bucket does not answer",
  ]);
  expect(statusWith({}, fast).healthy).toBe(true); // It is delivered as fast as it comes.
});

test("a lake that refuses is a problem at once, because waiting does not mend it", () => {
  expect(statusWith({ sync: away("store.denied") }).problems).toEqual([
    "the lake refuses what is sent: the bucket does not answer",
  ]);
});

test.each([
  [
    "damage on disk",
    { buffer: { ...buffer, damages: [{ file: "segment-1.db", fromOffset: 5, reason: "checksum" }] } },
    "segment-1.db: checksum",
  ],
  [
    "a clock that cannot be right",
    { clockProblem: "it says 1970-01-01T00:00:00.000Z, before this software was made" },
    "clock is wrong: it says 1970-01-01T00:00:00.000Z, before this software was made; until it is set",
  ],
  ["a disk budget used up", { buffer: { ...buffer, diskBytes: 3 * GIB } }, "disk budget is used up"],
  ["batches that differ from the lake's", { sync: { ...sync, divergedBatches: 2 } }, "2 batches differ"],
  [
    "a slot that failed",
    { inference: { ...inference, slot: { state: "failed" as const, reason: "a weight is NaN" } } },
    "a weight is NaN",
  ],
  [
    "a refused model",
    { models: { ...models, refusal: { code: "bundle.refused", message: "wrong signature" } } },
    "wrong signature",
  ],
])("%s is a problem", (_, changed, text) => {
  const { healthy, problems } = statusWith(changed);
  expect(healthy).toBe(false);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(text);
});

test("a source that takes nothing in is a problem with its name", () => {
  const [source] = parts.ingest;
  if (source === undefined) throw new Error("the sample has a source");
  const ingest = [{ ...source, name: "broker client", problem: "not connected" }];
  expect(statusWith({}, { ingest }).problems).toEqual(["broker client: not connected"]);
});

test("what was refused long ago does not make a gateway unhealthy for ever", () => {
  const commit = { ...parts.commit, refused: 5, failedGroups: 1 };
  expect(statusWith({ buffer: { ...buffer, refused: 9 } }, { commit }).healthy).toBe(true);
});

test("capacity: hours until the budget is used up, counting what is derived, and seconds until the backlog is gone", () => {
  const rates = { readingsPerS: 1, bytesPerS: GIB / 7_200, deliveredBytesPerS: 2_048 };
  expect(statusWith({}, { rates }).capacity).toEqual({ hoursLeft: 2, drainS: 10 });
  expect(statusWith({}, { rates: { readingsPerS: 0, bytesPerS: 0 } }).capacity).toEqual({
    hoursLeft: undefined,
    drainS: undefined,
  });
  const idle = { ...buffer, diskBytes: 5 * GIB, outbox: { batches: 0, bytes: 0 } };
  expect(statusWith({ buffer: idle }, { rates }).capacity).toEqual({ hoursLeft: 0, drainS: 0 });
});
