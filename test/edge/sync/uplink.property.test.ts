// Any steps, any faults of a real HTTP store, any crashes: afterwards every row is in the lake once, in ranges that
// follow each other without gap or overlap.
import { type SyncSettings, syncSettingsSchema } from "@sluice/edge/sync/settings.ts";
import { Uplink } from "@sluice/edge/sync/uplink.ts";
import { decodeLanding, encodeLanding } from "@sluice/shared/codec/landing.ts";
import { parseLandingKey } from "@sluice/shared/contract/lake-key.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { S3Store } from "@sluice/shared/store/s3.ts";
import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import type { FaultKind } from "@sluice/simulators/object-store/faults.ts";
import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { BufferWithRows } from "./buffer-with-rows.ts";

const GATEWAY = "site-1";

const settingsOf = (more: object) =>
  syncSettingsSchema.parse({
    ...more,
    batchRowsMax: 7,
    batchAgeMs: 100,
    retryBaseMs: 10,
    retryMaxMs: 10,
    stopFlushMs: 0,
  });

const fault = fc.constantFrom<FaultKind>(
  { kind: "cut" },
  { kind: "lost-reply" },
  { kind: "torn-read" },
  { kind: "refuse", status: 503, code: "SlowDown" },
  { kind: "refuse", status: 409, code: "ConditionalRequestConflict" },
  { kind: "refuse", status: 403, code: "AccessDenied" },
);

type Event =
  | { readonly do: "step"; readonly messages: number; readonly labels: number; readonly predictions: number }
  | { readonly do: "fault"; readonly fault: FaultKind; readonly count: number }
  | { readonly do: "flush" }
  | { readonly do: "crash" };

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("step" as const),
      messages: fc.integer({ min: 1, max: 12 }),
      labels: fc.nat(2),
      predictions: fc.nat(3),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("fault" as const), fault, count: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ do: "flush" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "crash" as const }) },
);

const anyPolicy = fc.constantFrom<SyncSettings["readings"]>(
  { policy: "everything" },
  { policy: "thinned", intervalMs: 3 },
  { policy: "around_anomalies", beforeMs: 0, afterMs: 0 },
);

test("whatever fails and crashes, every row reaches the lake once, or its being left out is told there", async () => {
  const server = await startObjectStore();
  let runs = 0;
  const run = async (
    events: readonly Event[],
    uploadsMax: number,
    readings: SyncSettings["readings"],
  ): Promise<void> => {
    const settings = settingsOf({ uploadsMax, readings });
    const prefix = `run${runs++}`;
    const connect = (attemptsMax: number): S3Store => {
      const { endpoint, bucket, accessKeyId, secretAccessKey } = server;
      const lake = { kind: "s3", endpoint, bucket, accessKeyId, secretAccessKey, prefix, attemptsMax };
      const parsed = storeSettingsSchema.parse(lake);
      if (parsed.kind !== "s3") throw new Error("these are the settings of an S3 store");
      return new S3Store(parsed, { clock: systemClock, random: seededRandom(1) });
    };
    // No retries inside the store: the uplink meets every fault itself.
    const store = connect(1);
    const buffer = new BufferWithRows(systemClock);
    const create = (): Uplink =>
      new Uplink({
        settings,
        gateway: GATEWAY,
        store,
        pending: buffer.state,
        encode: encodeLanding,
        clock: systemClock,
        random: seededRandom(1),
        log: silentLog,
        failed: (error) => {
          throw error;
        },
      });
    let uplink = create();
    const expected = { readings: 0, labels: 0, predictions: 0 };
    for (const step of events) {
      if (step.do === "step") {
        buffer.step(step);
        expected.readings += step.messages;
        expected.labels += step.labels;
        expected.predictions += step.predictions;
      } else if (step.do === "fault") server.orderFault({ ...step.fault, count: step.count });
      else if (step.do === "flush") await uplink.flush(1_000);
      else {
        buffer.reopen();
        uplink = create();
      }
    }
    let flushed = false;
    // Every fault that is still ordered ends one flush.
    for (let i = 0; i < 100 && !flushed; i++) flushed = await uplink.flush(5_000);
    expect(flushed).toBe(true);
    expect(uplink.stats()).toMatchObject({ pendingRows: 0, waiting: { batches: 0 }, divergedBatches: 0 });
    server.clearFaults();
    const reader = connect(5);
    const { events: told = 0, ...rows } = await rowsByStream(reader);
    const leftOut = buffer.state.counters()["shed.readings.policy"] ?? 0;
    expect({ ...rows, readings: (rows["readings"] ?? 0) + leftOut }).toEqual(expected);
    expect(told > 0).toBe(leftOut > 0);
    for (const open of [buffer, store, reader]) open.close();
  };
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 20 }), fc.integer({ min: 1, max: 4 }), anyPolicy, run),
    { numRuns: 40 },
  );
  expect(server.stats().faults).toBeGreaterThan(10);
  await server.stop();
}, 120_000);

/** Counts the rows of each stream, seeing to it that the ranges follow each other from 0. */
async function rowsByStream(store: S3Store): Promise<Record<string, number>> {
  const rows: Record<string, number> = { readings: 0, labels: 0, predictions: 0 };
  const next: Record<string, number> = {};
  for await (const { key } of store.list("landing/")) {
    const range = parseLandingKey(key);
    const result = await store.get(key);
    if (range === undefined || result.state !== "found") throw new Error(`${key} is a landing object`);
    expect([key, range.from]).toEqual([key, next[range.stream] ?? 0]);
    next[range.stream] = range.to + 1;
    rows[range.stream] = (rows[range.stream] ?? 0) + decodeLanding(range.stream, result.object.body).count;
  }
  return rows;
}
