import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { CompactReport } from "@sluice/cloud/lake/compact.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { expect, onTestFinished, test } from "vitest";
import { type Death, DyingStore, YieldingStore } from "./faulty-store.ts";
import { DAY_US, EPOCH, label, land, landReadings, prediction, quarantined, vector } from "./rows.ts";

const OTHER_EPOCH = "0198a6d2-8c1f-4a5e-9d3b-2f6f0c9a1b7f";
const ALL = `SELECT * FROM readings ORDER BY gateway, epoch, "offset", "index"`;

async function openLake(store: ObjectStore, change: object = {}): Promise<Lake> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-compact-"));
  const lake = await Lake.open({
    store,
    settings: { ...lakeSettingsSchema.parse({ cacheDir: dir, compactAfterMs: 0 }), ...change },
    clock: new SimulatedClock(DAY_US + 86_400_000_000),
    log: silentLog,
  });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  return lake;
}

/** Three gateways whose readings reach over three days, each of many small commits. */
async function landAll(store: ObjectStore, lake: Lake): Promise<void> {
  for (let i = 0; i < 4; i++) {
    for (const gateway of ["gw-1", "gw-2", "gw-3"])
      await landReadings(store, i * 30, i * 30 + 29, { gateway, stepUs: 2_000_000_000 });
    await lake.commitLanding();
  }
}

const activeFiles = async (store: ObjectStore): Promise<readonly string[]> => {
  const { files } = await new DeltaLog(store, tablePrefix("readings")).refresh();
  return [...files.keys()].sort();
};

test("the small files of each day become one, and every row keeps every bit", async () => {
  const store = new MemoryStore();
  const lake = await openLake(store);
  await landAll(store, lake);
  const before = await lake.sql(ALL);
  const files = await activeFiles(store);
  const report = await lake.upkeep.compact({ streams: ["readings"] });
  expect(report.conflicts).toEqual([]);
  expect(report.days.map(({ day }) => day)).toEqual(["2026-11-21", "2026-11-22", "2026-11-23"]);
  expect(report.days.reduce((sum, { filesBefore }) => sum + filesBefore, 0)).toBe(files.length);
  expect(report.days.reduce((sum, { rows = 0 }) => sum + rows, 0)).toBe(before.rows.length);
  expect((await activeFiles(store)).length).toBe(3);
  expect(await lake.sql(ALL)).toEqual(before);
  // A process that has seen nothing of it reads the same.
  expect(await (await openLake(store)).sql(ALL)).toEqual(before);
});

test("rows are in order of device, metric and time", async () => {
  const store = new MemoryStore();
  const lake = await openLake(store);
  await landAll(store, lake);
  await lake.upkeep.compact({ streams: ["readings"] });
  const { rows } = await lake.sql(
    "SELECT date, device, metric, measured_at, received_at, gateway FROM readings",
  );
  expect(rows).toEqual(rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)));
});

test("every table can be compacted, with lists, bytes, texts and NULLs", async () => {
  const store = new MemoryStore();
  const lake = await openLake(store);
  const place = { gateway: "gw-1", epoch: EPOCH };
  for (let i = 0; i < 3; i++) {
    await land(store, { stream: "features", ...place, from: i, to: i }, [
      [vector(i, { values: [undefined, NaN, -0] })],
    ]);
    await land(store, { stream: "predictions", ...place, from: i, to: i }, [[prediction(i)]]);
    await land(store, { stream: "labels", ...place, from: i, to: i }, [[label(i)]]);
    await land(store, { stream: "quarantine", ...place, from: i, to: i }, [[quarantined(i)]]);
    await lake.commitLanding();
  }
  const streams = ["features", "predictions", "labels", "quarantine"] as const;
  const ask = (): Promise<unknown> =>
    Promise.all(streams.map((stream) => lake.sql(`SELECT * FROM ${stream} ORDER BY ALL`)));
  const before = await ask();
  const report = await lake.upkeep.compact({ streams });
  expect(report.days.map(({ table, filesBefore, filesAfter }) => [table, filesBefore, filesAfter])).toEqual(
    streams.map((stream) => [stream, 3, 1]),
  );
  expect(await ask()).toEqual(before);
});

test("a day becomes as many files as its bytes want, cut at the order's places, and each knows its bounds", async () => {
  const store = new MemoryStore();
  const lake = await openLake(store, { compactTargetBytes: 60_000 });
  for (let i = 0; i < 3; i++) {
    await landReadings(store, i * 20_000, i * 20_000 + 19_999, { stepUs: 1_400_000 });
    await lake.commitLanding();
  }
  const ask = `SELECT count(*), sum(hash("offset", "index", "value", measured_at)) FROM readings`;
  const before = await lake.sql(ask);
  const report = await lake.upkeep.compact({ streams: ["readings"] });
  const filesAfter = report.days[0]?.filesAfter ?? 0;
  expect(filesAfter).toBeGreaterThan(2);
  expect(await lake.sql(ask)).toEqual(before);
  const { files } = await new DeltaLog(store, tablePrefix("readings")).refresh();
  const bounds = [...files.values()].map(({ stats = "" }) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is no such object fails the test
    const { minValues, maxValues } = JSON.parse(stats) as Record<
      "minValues" | "maxValues",
      Record<string, string>
    >;
    return ["metric", "measured_at"].map((name) => [minValues[name], maxValues[name]]);
  });
  // The files' series and times follow each other: no two overlap in both.
  for (const [i, [metric, time]] of bounds.entries())
    for (const [otherMetric, otherTime] of bounds.slice(i + 1)) {
      const apart = [
        [metric, otherMetric],
        [time, otherTime],
      ].some(([a, b]) => {
        const [from, to] = [a?.[0] ?? "", a?.[1] ?? ""];
        return to < (b?.[0] ?? "") || (b?.[1] ?? "") < from;
      });
      expect(apart || metric?.[0] !== metric?.[1] || otherMetric?.[0] !== otherMetric?.[1]).toBe(true);
    }
});

test("nothing is done while a day still gets rows and has few files, unless the day is asked for", async () => {
  const store = new MemoryStore();
  const lake = await openLake(store, { compactAfterMs: 3_600_000 });
  await landAll(store, lake);
  expect(await lake.upkeep.compact({ streams: ["readings"] })).toEqual({ days: [], conflicts: [] });
  const dry = await lake.upkeep.compact({ streams: ["readings"], day: "2026-11-22", dryRun: true });
  expect(dry.days).toMatchObject([{ table: "readings", day: "2026-11-22", filesAfter: undefined }]);
  expect((await lake.upkeep.compact({ streams: ["readings"], day: "2026-11-22" })).days.length).toBe(1);
  expect((await lake.upkeep.compact({ streams: ["readings"], day: "2026-11-22" })).days.length).toBe(0);
});

test("commits go on while a table is compacted, and no row is missing or there twice", async () => {
  for (let seed = 0; seed < 4; seed++) {
    const store = new MemoryStore();
    const lake = await openLake(store);
    await landAll(store, lake);
    let state = seed * 7919 + 1;
    const turns = (): number => (state = (state * 48_271) % 2_147_483_647) % 3;
    const slow = await openLake(new YieldingStore(store, turns));
    const other = await openLake(new YieldingStore(store, turns));
    await landReadings(store, 0, 99, { gateway: "gw-9", epoch: OTHER_EPOCH, stepUs: 2_000_000_000 });
    const [, first, second] = await Promise.all([
      lake.commitLanding(),
      slow.upkeep.compact({ streams: ["readings"] }),
      other.upkeep.compact({ streams: ["readings"] }),
    ]);
    expect(first.days.length + second.days.length).toBeGreaterThanOrEqual(3);
    const counted = await (
      await openLake(store)
    ).sql(`SELECT count(*), count(DISTINCT (gateway, epoch, "offset", "index")) FROM readings`);
    expect(counted.rows).toEqual([[920, 920]]);
  }
});

test("a process that dies at any instant of a compaction leaves every row once, and the next one finishes", async () => {
  const deaths: readonly Death[] = ["before", "after"];
  const probe = new MemoryStore();
  const landed = await openLake(probe);
  await landAll(probe, landed);
  const before = await landed.sql(ALL);
  const objects = await Promise.all(
    (await Array.fromAsync(probe.list(""))).map(async ({ key }) => ({ key, got: await probe.get(key) })),
  );
  const copy = async (): Promise<MemoryStore> => {
    const store = new MemoryStore();
    for (const { key, got } of objects) if (got.state === "found") await store.put(key, got.object.body);
    return store;
  };
  const whole = new DyingStore(await copy(), Infinity, "before");
  await (await openLake(whole)).upkeep.compact({ streams: ["readings"] });
  expect(whole.operations).toBeGreaterThan(10);
  for (let at = 0; at < whole.operations; at++)
    for (const death of deaths) {
      const store = await copy();
      const dying = await openLake(new DyingStore(store, at, death));
      await expect(dying.upkeep.compact({ streams: ["readings"] })).rejects.toMatchObject({
        code: "store.unavailable",
      });
      const lake = await openLake(store);
      expect(await lake.sql(ALL)).toEqual(before);
      const rest: CompactReport = await lake.upkeep.compact({ streams: ["readings"] });
      expect(rest.conflicts).toEqual([]);
      expect(await lake.sql(ALL)).toEqual(before);
      expect((await activeFiles(store)).length).toBe(3);
    }
}, 120_000);
