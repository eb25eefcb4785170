import { expect, test } from "vitest";
import { GIB, parts, pipeline, ratesOf, statusWith } from "./sample-status.ts";

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
  const slow = { rates: ratesOf({ readingsPerS: 12 }) };
  expect(statusWith({ sync: away("store.unavailable") }, slow).healthy).toBe(true);
});

test("a lake that is away is a problem when the disk lasts for less than a day", () => {
  const fast = { rates: ratesOf({ readingsPerS: GIB / 8 / 3_600 }) };
  expect(statusWith({ sync: away("store.unavailable") }, fast).problems).toEqual([
    "the lake is away, and the disk lasts for 1.0 more hours: the bucket does not answer",
  ]);
  expect(statusWith({}, fast).healthy).toBe(true); // It is delivered as fast as it comes.
});

test("a lake that is away is a problem as soon as readings are given up for it", () => {
  const full = { ...buffer, disk: { ...buffer.disk, diskBytes: 3 * GIB } };
  const rates = ratesOf({ readingsPerS: 1 });
  expect(statusWith({ sync: away("store.unavailable"), buffer: full }, { rates }).problems).toEqual([
    "the lake is away, and the oldest readings are given up for room: the bucket does not answer",
  ]);
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
  [
    "a disk budget used up",
    { buffer: { ...buffer, disk: { ...buffer.disk, diskBytes: 4 * GIB } } },
    "disk budget is used up",
  ],
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

test("capacity: hours until readings are given up, by what they weigh encoded, and seconds until the backlog is gone", () => {
  // A GiB is free until the mark, an encoded reading weighs 8 bytes.
  const rates = ratesOf({ readingsPerS: GIB / 8 / 7_200, deliveredBytesPerS: GIB / 7_200 + 2_058 });
  const long = { ...buffer, outbox: { batches: 9_000, bytes: GIB } };
  const { hoursLeft, hoursUntilDropped, drainS } = statusWith({ buffer: long }, { rates }).capacity;
  expect([hoursLeft, hoursUntilDropped]).toEqual([2, 32]);
  expect(drainS, "2 KiB a second of 149 is within what a rate varies").toBeUndefined();
  const quick = ratesOf({ deliveredBytesPerS: 2_058 });
  expect(statusWith({}, { rates: quick }).capacity).toEqual({
    hoursLeft: undefined,
    hoursUntilDropped: undefined,
    drainS: 10,
  });
});

test("a backlog that does not fit into what is left of a day's bytes drains as days allow, held up or not", () => {
  const outbox = { batches: 9, bytes: 86_400_000 };
  const rates = ratesOf({ deliveredBytesPerS: 100_000 });
  const drainOf = (sentBytes: number, held?: "day_budget" | "quiet_hours"): number | undefined =>
    statusWith(
      {
        buffer: { ...buffer, outbox },
        sync: {
          ...sync,
          day: { sentBytes, bytesMax: 86_500_000 },
          ...(held === undefined ? {} : { held: { reason: held, untilUs: 0, streams: ["readings"] } }),
        },
      },
      { rates: held === undefined ? rates : ratesOf({}) },
    ).capacity.drainS;
  expect(drainOf(0)).toBeCloseTo(864, -1);
  expect(drainOf(80_000_000)).toBeCloseTo(86_300, -3);
  expect(drainOf(86_400_001, "day_budget")).toBeCloseTo(86_300, -3);
  expect(drainOf(0, "quiet_hours")).toBeUndefined();
});
