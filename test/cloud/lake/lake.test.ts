import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { viewKey } from "@sluice/shared/contract/lake-key.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { expect, onTestFinished, test } from "vitest";
import {
  DAY_US,
  EPOCH,
  label,
  land,
  landReadings,
  prediction,
  quarantined,
  readingBlock,
  vector,
} from "./rows.ts";

async function openLake(store: ObjectStore, settings: object = {}): Promise<{ lake: Lake; dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-lake-"));
  const lake = await Lake.open({
    store,
    settings: lakeSettingsSchema.parse({ cacheDir: dir, ...settings }),
    clock: new SimulatedClock(DAY_US + 86_400_000_000),
    log: silentLog,
  });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  return { lake, dir };
}

const at = { gateway: "gw-1", epoch: EPOCH, from: 0 };
const VIEW = featureViewSchema.parse({
  name: "pump_health",
  owner: "reliability",
  match: { deviceType: "pump" },
  window: { kind: "tumbling", sizeMs: 60_000 },
  inputs: { vibration: { metric: "vibration_g" } },
  features: [
    { name: "vibration_rms", fn: "rms", of: "vibration" },
    { name: "vibration_max", fn: "max", of: "vibration" },
  ],
});
const HASH = viewHash(VIEW);

test("tables without rows have their columns, and every table can be joined with every other", async () => {
  const { lake } = await openLake(new MemoryStore());
  for (const table of ["readings", "features", "predictions", "labels", "quarantine", "feature_values"])
    expect((await lake.sql(`SELECT * FROM ${table}`)).rows).toEqual([]);
  const { columns } = await lake.sql("SELECT measured_at, value, date FROM readings");
  expect(columns.map(({ type }) => type)).toEqual(["TIMESTAMP WITH TIME ZONE", "DOUBLE", "DATE"]);
  expect(await lake.tables()).toContainEqual({ name: "labels", version: -1, files: 0, rows: 0, bytes: 0 });
  expect(await lake.vectorCount(HASH)).toBe(0);
  expect((await lake.vectors({ viewHash: HASH })).seq.length).toBe(0);
  expect(await lake.labels({})).toEqual([]);
});

test("a query sees what was committed up to it, with times in UTC to the microsecond", async () => {
  const store = new MemoryStore();
  const { lake } = await openLake(store);
  const query = "SELECT count(*), sum(value), max(measured_at), max(date) FROM readings";
  await landReadings(store, 0, 1);
  await lake.commitLanding();
  expect((await lake.sql(query)).rows).toEqual([[4, 2.2, "2026-11-21T00:00:01.000123Z", "2026-11-21"]]);
  await landReadings(store, 2, 2);
  expect((await lake.sql(query)).rows[0]?.[0]).toBe(4);
  await lake.commitLanding();
  expect((await lake.sql(query)).rows[0]?.[0]).toBe(6);
  const [readings] = await lake.tables();
  expect(readings).toMatchObject({ name: "readings", version: 1, files: 2, rows: 6 });
});

test("features have their names where the lake knows the view, and their places where it does not", async () => {
  const store = new MemoryStore();
  const { lake } = await openLake(store);
  await land(store, { ...at, stream: "features", to: 1 }, [[vector(0, { viewHash: HASH }), vector(1)]]);
  await lake.commitLanding();
  const query = "SELECT feature, value FROM feature_values ORDER BY window_end, feature";
  expect((await lake.sql(query)).rows).toEqual([
    ["#1", 0.5],
    ["#2", undefined],
    ["#1", 1.5],
    ["#2", undefined],
  ]);
  await store.put(viewKey(HASH), new TextEncoder().encode(canonicalJson(VIEW)));
  expect((await lake.sql(query)).rows).toEqual([
    ["vibration_max", undefined],
    ["vibration_rms", 0.5],
    ["#1", 1.5],
    ["#2", undefined],
  ]);
});

test("vectors come by column, missing values as NaN, only what was known by then", async () => {
  const store = new MemoryStore();
  const { lake } = await openLake(store);
  const late = vector(2, {
    windowStartUs: vector(0).windowStartUs,
    windowEndUs: vector(0).windowEndUs,
    revision: 1,
  });
  await land(store, { ...at, stream: "features", to: 3 }, [
    [vector(0), vector(1), late, vector(3, { viewHash: HASH })],
  ]);
  await lake.commitLanding();
  const { viewHash: hash } = vector(0);
  expect(await lake.vectorCount(hash)).toBe(3);
  const all = await lake.vectors({ viewHash: hash });
  const order = [...all.seq.keys()].sort((a, b) => (all.seq[a] ?? 0) - (all.seq[b] ?? 0));
  expect(order.map((row) => all.revision[row])).toEqual([0, 0, 1]);
  expect(order.map((row) => [all.values[row * 2], all.values[row * 2 + 1]])).toEqual([
    [0.5, NaN],
    [1.5, NaN],
    [2.5, NaN],
  ]);
  expect(order.map((row) => all.windowEndUs[row])).toEqual(
    [vector(0), vector(1), vector(0)].map(({ windowEndUs }) => windowEndUs),
  );
  expect([...new Set([...all.gateway, ...all.epoch, ...all.device])].sort()).toEqual(
    [EPOCH, "gw-1", "pump-1"].sort(),
  );
  const early = await lake.vectors({ viewHash: hash, knownByUs: vector(1).closedAtUs });
  expect(early.seq.toSorted()).toEqual(Float64Array.of(0, 1));
  const from = await lake.vectors({ viewHash: hash, fromUs: vector(0).windowEndUs });
  expect([...from.seq]).toEqual([1]);
});

test("labels and predictions come back as the gateway sent them", async () => {
  const store = new MemoryStore();
  const { lake } = await openLake(store);
  const labels = [label(3), label(8, { note: "" })];
  await land(store, { ...at, stream: "labels", to: 9 }, [labels]);
  await land(store, { ...at, stream: "predictions", to: 2 }, [[prediction(0), prediction(1), prediction(2)]]);
  await land(store, { ...at, stream: "quarantine", to: 9 }, [[quarantined(7)]]);
  await lake.commitLanding();
  expect(await lake.labels({})).toEqual(labels);
  expect(await lake.labels({ knownByUs: label(3).knownAtUs })).toEqual([label(3)]);
  expect(await lake.labelCount()).toBe(2);
  expect(await lake.predictions({ gateway: "gw-1", epoch: EPOCH })).toEqual([
    prediction(0),
    prediction(1),
    prediction(2),
  ]);
  expect((await lake.sql("SELECT payload, reason FROM quarantine")).rows).toEqual([
    ["00ff07", "payload.malformed"],
  ]);
});

test("readings come back in order with every bit, across files and days", async () => {
  const store = new MemoryStore();
  const { lake } = await openLake(store, { commitBytesMax: 1_024 });
  const stepUs = 21_600_000_000;
  await landReadings(store, 0, 5, { stepUs });
  await landReadings(store, 6, 9, { stepUs });
  await landReadings(store, 0, 3, { gateway: "gw-2" });
  await lake.commitLanding();
  const blocks = await Array.fromAsync(lake.readings({ gateway: "gw-1", epoch: EPOCH, fromOffset: 2 }));
  const whole = readingBlock(2, 8, stepUs);
  const flat = (pick: (block: typeof whole) => ArrayLike<unknown>): unknown[] =>
    blocks.flatMap((block) => Array.from(pick(block)));
  for (const pick of [
    (block: typeof whole) => block.offset,
    (block: typeof whole) => block.index,
    (block: typeof whole) => block.measuredAtUs,
    (block: typeof whole) => block.receivedAtUs,
    (block: typeof whole) => block.value,
    (block: typeof whole) => block.clock,
    (block: typeof whole) => block.withheld,
    (block: typeof whole): readonly unknown[] => Array.from(block.seriesIndex, (i) => block.series[i]),
  ])
    expect(flat(pick)).toEqual(Array.from<unknown>(pick(whole)));
});

test.each([
  ["a mistake", "SELECT nothing FROM readings", /"nothing" not found/],
  ["no SQL", "give me all", /syntax error/],
  ["nothing", "  ", /empty/],
  ["a comment", "-- x", /no statement/],
  ["two statements", "SELECT 1; SELECT 2", /2 statements/],
  ["a change", "CREATE TABLE x AS SELECT 1", /CREATE is not allowed/],
  ["a file of the machine", "SELECT * FROM read_text('/etc/hostname')", /Permission Error/],
  ["a file to write", "COPY (SELECT 1) TO 'x.csv'", /Permission Error/],
  ["an extension", "INSTALL httpfs", /not allowed/],
  ["a setting", "SET memory_limit = '9GB'", /not allowed/],
])("a query with %s is refused with one clear error", async (_, query, message) => {
  const { lake } = await openLake(new MemoryStore());
  await expect(lake.sql(query)).rejects.toMatchObject({
    code: "sql.invalid",
    message: expect.stringMatching(message),
  });
});

test("a query cannot write into the cache either", async () => {
  const { lake, dir } = await openLake(new MemoryStore());
  const query = `COPY (SELECT 1) TO '${join(dir, "tables", "x.parquet")}'`;
  await expect(lake.sql(query)).rejects.toMatchObject({
    code: "sql.invalid",
    message: "COPY is not allowed: a query may only read",
  });
  expect(await readdir(join(dir, "tables"))).toEqual([]);
});

test("an answer with more rows than allowed is refused, not cut", async () => {
  const { lake } = await openLake(new MemoryStore(), { resultRowsMax: 10 });
  expect((await lake.sql("SELECT * FROM range(10)")).rows.length).toBe(10);
  await expect(lake.sql("SELECT * FROM range(11)")).rejects.toMatchObject({ code: "sql.too_large" });
});

test("the cache fetches each file once, and again when its folder was deleted under it", async () => {
  const store = new MemoryStore();
  const { lake, dir } = await openLake(store);
  await landReadings(store, 0, 4);
  await lake.commitLanding();
  const get = store.get.bind(store);
  let fetched = 0;
  store.get = (key, options) => {
    if (key.endsWith(".parquet")) fetched++;
    return get(key, options);
  };
  for (let i = 0; i < 3; i++) expect((await lake.sql("SELECT count(*) FROM readings")).rows).toEqual([[10]]);
  expect(fetched).toBe(1);
  await rm(join(dir, "tables"), { recursive: true });
  expect((await lake.sql("SELECT count(*) FROM readings")).rows).toEqual([[10]]);
  expect(fetched).toBe(2);
  expect(await readdir(join(dir, "tables"))).toHaveLength(1);
});

test("a table file that is gone or cut is named", async () => {
  const store = new MemoryStore();
  const { lake } = await openLake(store);
  await landReadings(store, 0, 4);
  await lake.commitLanding();
  const [file] = (await Array.fromAsync(store.list("tables/readings/date="))).map(({ key }) => key);
  const key = file ?? "";
  await store.put(key, Uint8Array.of(1));
  await expect(lake.sql("FROM readings")).rejects.toMatchObject({
    code: "lake.file_damaged",
    message: expect.stringContaining(key),
  });
  await store.delete(key);
  await expect(lake.sql("FROM readings")).rejects.toMatchObject({
    code: "lake.file_missing",
    message: expect.stringContaining(key),
  });
});

test("questions and commits at once see whole versions", async () => {
  const store = new MemoryStore();
  const { lake } = await openLake(store, { commitBytesMax: 1_024 });
  for (let i = 0; i < 12; i++)
    await land(store, { ...at, stream: "features", from: i * 5, to: i * 5 + 4 }, [
      Array.from({ length: 5 }, (_, k) => vector(i * 5 + k)),
    ]);
  const committing = lake.commitLanding();
  const counts = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const { seq, values } = await lake.vectors({ viewHash: vector(0).viewHash });
      return [seq.length % 5, values.length - seq.length * 2];
    }),
  );
  await committing;
  expect(counts).toEqual(Array.from({ length: 6 }, () => [0, 0]));
  expect((await lake.vectors({ viewHash: vector(0).viewHash })).seq.length).toBe(60);
});
