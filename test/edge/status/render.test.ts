import { expect, test } from "vitest";
import { renderStatus } from "../../../edge/status/render.ts";
import { GIB, pipeline, ratesOf, statusWith } from "./sample-status.ts";

const { buffer, sync, inference, features } = pipeline;

test("a status reads as a table in plain words and units", () => {
  const hash = "ab".repeat(6);
  expect(renderStatus(statusWith({})).split("\n")).toEqual([
    "gateway          site-1, version 0.1.0, up 90 s, 100.0 MiB memory",
    "health           healthy",
    "embedded broker  127.0.0.1:1883, 1 connection, 1,002 received (2.0 KiB), 1,000 acknowledged after fsync, 2 refused (topic.reserved)",
    "buffer           1,000 messages, decoded 1,000, in the lake 900",
    "disk             2.0 GiB of 4.0 GiB, 126 days left at the present rate until readings are thinned out, 2,014 days until any are dropped",
    "shed             0 readings thinned away, 0 dropped",
    "flash            84.4 MiB written per day at the present rate, as the system counts it",
    "readings         4,000, 12.3 per second over the last minute",
    "quarantine       7 refused so far: time.future 7; sluice-gateway quarantine ls",
    "duplicates       3 redeliveries recognised",
    "refused          0 messages that the disk could not take",
    `features         pump_health ${hash}: 60 vectors, 0 revised, 4 late readings`,
    "model            pump_health version 3",
    "predictions      12, 1 device in alarm",
    "lake             reached, 3,000 rows delivered since the start, 2 batches (20.0 KiB) and 1 row waiting, delivered in 11 s at the present rate",
  ]);
});

test("what is wrong stands near the top, a line each", () => {
  const status = statusWith({
    buffer: { ...buffer, damages: [{ file: "segment-1.db", fromOffset: 5, reason: "checksum" }] },
    inference: { ...inference, slot: { state: "failed", reason: "a weight is NaN" } },
    sync: {
      ...sync,
      lake: "away",
      lastError: { code: "store.denied", message: "403", atUs: 1_700_000_000_000_000 },
    },
  });
  const lines = renderStatus(status).split("\n");
  expect(lines.slice(1, 4)).toEqual([
    "health           messages are damaged on disk, segment-1.db: checksum",
    "                 the lake refuses what is sent: 403",
    "                 no model can score: a weight is NaN",
  ]);
  expect(lines.at(-1)).toContain("last error at 2023-11-14T22:13:20.000Z: 403");
});

test("readings that were sent again are told apart from redeliveries", () => {
  const counters = { duplicates: 1_200, conflicts: 2, unremembered: 5 };
  expect(renderStatus(statusWith({ counters }))).toContain(
    "3 redeliveries recognised, 1,200 readings sent again, 2 sent again with another value, both stored, 5 too many to be compared",
  );
});

test("a gateway that is new says so instead of showing numbers that mean nothing", () => {
  const text = renderStatus(
    statusWith({
      buffer: { ...buffer, nextOffset: 0, decodedThrough: -1, deliveredThrough: -1 },
      counters: {},
      features: { views: [], counters: {} },
      inference: { ...inference, slot: { state: "empty" } },
    }),
  );
  expect(text).toContain("0 messages, decoded 0, in the lake 0");
  expect(text).toMatch(/quarantine +nothing refused so far/);
  expect(text).toMatch(/features +no views/);
  expect(text).toMatch(/model +none yet/);
  expect(text).not.toMatch(/undefined|NaN/);
});

test("refused messages that made room for newer ones are told", () => {
  const { counters } = pipeline;
  const text = renderStatus(statusWith({ counters: { ...counters, quarantineGivenUp: 5 } }));
  expect(text).toContain("7 refused so far: time.future 7; 5 of them no longer kept whole, for room;");
});

test("rows of files are received and not acknowledged, and a lake that was not tried is not called unknown", () => {
  const spool = { name: "spool", address: "/data/spool", connections: 0, received: 12, receivedBytes: 5 };
  const ingest = [{ ...spool, acknowledged: 0, refused: {}, problem: undefined }];
  const text = renderStatus({ ...statusWith({ sync: { ...sync, lake: "unknown" } }), ingest });
  expect(text).toMatch(/spool +\/data\/spool, 12 received \(5 bytes\)\n/);
  expect(text).toMatch(/lake +not tried yet, /);
});

test("when readings are thinned out already, it says so and how long until any are dropped", () => {
  const disk = { ...buffer.disk, diskBytes: 3.5 * GIB, roomUntilBytes: 3 * GIB };
  const text = renderStatus(statusWith({ buffer: { ...buffer, disk } }));
  expect(text).toContain("of 4.0 GiB, readings are thinned out now, 0 minutes until any are dropped");
});

test("readings that were too late for a correction are told", () => {
  const counters = {
    ...features.counters,
    "features.pump_health.late_beyond_correction": 2,
    "features.pump_health.shed_readings": 1,
  };
  expect(renderStatus(statusWith({ features: { ...features, counters } }))).toContain(
    "3 too late or too many",
  );
});

test.each([
  [0, "nothing comes in"],
  [12 * 3_600, "12.0 hours left at the present rate"],
  [200 * 3_600, "8 days left at the present rate"],
])("how long the disk lasts is told in the unit that fits", (seconds, text) => {
  const readingsPerS = seconds === 0 ? 0 : GIB / 8 / seconds;
  expect(renderStatus(statusWith({}, { rates: ratesOf({ readingsPerS }) }))).toContain(text);
});

test("what was given up, what can be given up at no loss and what an estimate is are told in words", () => {
  const disk = { ...buffer.disk, whenFull: "refuse" as const, spareRawBytes: 2_048, freeBytes: 4_096 };
  const counters = {
    "shed.readings.thinned": 1_200,
    "shed.readings.dropped": 30,
    "shed.features.dropped": 4,
  };
  const rates = ratesOf({ readingsPerS: GIB / 8 / 3_600 });
  const text = renderStatus(
    statusWith({ buffer: { ...buffer, disk: { ...disk, asideBytes: 1_024 } }, counters }, { rates }),
  );
  expect(text).toContain(
    "60 minutes left at the present rate until messages are refused; 2.0 KiB can go at no loss; 4.0 KiB are free within its files; 1.0 KiB are damaged files set aside",
  );
  expect(text).toContain("1,200 readings thinned away, 30 dropped, 4 vectors dropped");
  expect(text).toContain(
    "0 bytes written per day at the present rate, estimated: the system does not count it",
  );
});

test("a backlog that does not get less is told", () => {
  expect(renderStatus(statusWith({}, { rates: ratesOf({}) }))).toContain(
    "waiting, not getting less at the present rate",
  );
});

test("devices that break their contract and metrics that are silent have a line of their own, once there are some", () => {
  const breaker = {
    device: "pump-3",
    deviceType: "pump",
    violationShare: 0.42,
    openedAtUs: 0,
    withheld: 312,
  };
  const counters = { ...pipeline.counters, withheld: 1_312 };
  const lines = (contracts: typeof pipeline.contracts): string[] =>
    renderStatus(statusWith({ contracts, counters }))
      .split("\n")
      .filter((line) => /^(breakers|silent) /.test(line));
  expect(lines({ openCount: 1, open: [breaker], staleCount: 2 })).toEqual([
    "breakers         1 open: pump-3 (42 % violations), 1,312 readings withheld so far",
    "silent           2 metrics for longer than the contract allows",
  ]);
  expect(lines({ openCount: 3, open: [breaker], staleCount: 0 })).toEqual([
    "breakers         3 open: pump-3 (42 % violations) and 2 more, 1,312 readings withheld so far",
  ]);
  expect(lines({ openCount: 0, open: [], staleCount: 0 })).toEqual([
    "breakers         none open, 1,312 readings withheld so far",
  ]);
});

test("what waits for a cap or for quiet hours says so, and until when", () => {
  const streams = ["features", "readings"];
  const untilUs = 1_700_000_000_000_000;
  const linesOf = (reason: "quiet_hours" | "day_budget"): readonly string[] =>
    renderStatus(statusWith({ sync: { ...sync, held: { reason, untilUs, streams } } })).split("\n");
  expect(linesOf("quiet_hours").at(-1)?.trim()).toBe(
    "features, readings wait until 2023-11-14T22:13:20.000Z: quiet hours",
  );
  expect(linesOf("day_budget").at(-1)?.trim()).toBe(
    "features, readings wait until 2023-11-14T22:13:20.000Z: the day's bytes are used up",
  );
});
