import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { AddFile } from "@sluice/cloud/lake/delta-action.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { planVacuum } from "@sluice/cloud/lake/vacuum-plan.ts";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { DyingStore } from "./faulty-store.ts";
import { DAY_US, landReadings } from "./rows.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const TABLE = tablePrefix("readings");
const ALL = `SELECT * FROM readings ORDER BY "offset", "index"`;
const ORPHAN = `${TABLE}date=2026-11-21/part-${"f".repeat(64)}.parquet`;

async function openLake(store: ObjectStore, clock: SimulatedClock): Promise<Lake> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-vacuum-"));
  const settings = lakeSettingsSchema.parse({
    cacheDir: dir,
    compactAfterMs: 0,
    tombstoneRetentionMs: DAY_MS,
    orphanGraceMs: HOUR_MS,
  });
  const lake = await Lake.open({ store, settings, clock, log: silentLog });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  return lake;
}

/** A day of four commits that was compacted, with an orphan and what is no data file beside them. */
async function compacted(): Promise<{ store: MemoryStore; clock: SimulatedClock; lake: Lake }> {
  const store = new MemoryStore();
  const clock = new SimulatedClock(DAY_US + DAY_MS * 1_000);
  const lake = await openLake(store, clock);
  for (let i = 0; i < 4; i++) {
    await landReadings(store, i, i);
    await lake.commitLanding();
  }
  await lake.upkeep.compact({ streams: ["readings"] });
  for (const key of [ORPHAN, `${TABLE}README.md`, `${TABLE}date=2026-11-21/notes.txt`])
    await store.put(key, Uint8Array.of(1));
  return { store, clock, lake };
}

const dataFiles = async (store: ObjectStore): Promise<readonly string[]> =>
  (await Array.fromAsync(store.list(`${TABLE}date=`))).map(({ key }) => key);

test("files that were compacted stay as long as the retention says, then they go, and the rows are there", async () => {
  const { store, clock, lake } = await compacted();
  const before = await lake.sql(ALL);
  const first = await lake.upkeep.vacuum({ streams: ["readings"] });
  expect(first.tables).toMatchObject([{ table: "readings", files: [], keptFiles: 4, waitingOrphans: 1 }]);
  expect((await lake.sql("SELECT count(*) FROM readings", { asOf: { version: 2 } })).rows).toEqual([[6]]);
  await clock.advance(DAY_MS);
  const dry = await lake.upkeep.vacuum({ streams: ["readings"], dryRun: true });
  expect([dry.deleted, dry.tables[0]?.files.length, (await dataFiles(store)).length]).toEqual([false, 5, 7]);
  const second = await lake.upkeep.vacuum({ streams: ["readings"] });
  expect(second.tables[0]?.files.map(({ why }) => why).sort()).toEqual([
    "orphan",
    ...Array<string>(4).fill("removed"),
  ]);
  expect((await dataFiles(store)).filter((key) => key.endsWith(".parquet")).length).toBe(1);
  expect((await dataFiles(store)).some((key) => key.endsWith("notes.txt"))).toBe(true);
  expect((await store.head(`${TABLE}README.md`))?.bytes).toBe(1);
  const other = await openLake(store, clock);
  expect(await other.sql(ALL)).toEqual(before);
  await expect(other.sql(ALL, { asOf: { version: 2 } })).rejects.toMatchObject({ code: "lake.version_gone" });
});

test("an orphan waits a grace from when it was seen first, and one that was committed meanwhile stays", async () => {
  const { store, clock, lake } = await compacted();
  const seenAgain = async (): Promise<number | undefined> =>
    (await lake.upkeep.vacuum({ streams: ["readings"] })).tables[0]?.files.length;
  expect(await seenAgain()).toBe(0);
  await clock.advance(HOUR_MS - 1);
  expect(await seenAgain()).toBe(0);
  const log = new DeltaLog(store, TABLE);
  const { files } = await log.refresh();
  const [file] = files.values();
  if (file === undefined) throw new Error("the table has a file");
  const path = ORPHAN.slice(TABLE.length);
  await log.rewrite({
    remove: [],
    add: [{ ...file, path, size: 1 }],
    commitInfo: { txnId: "x", timestamp: 1 },
  });
  await clock.advance(HOUR_MS);
  expect(await seenAgain()).toBe(0);
  expect((await store.head(ORPHAN))?.bytes).toBe(1);
});

test("without the lease what no commit names is left alone", async () => {
  const { store, clock, lake } = await compacted();
  await lake.upkeep.vacuum({ streams: ["readings"] });
  await clock.advance(2 * DAY_MS);
  const report = await lake.upkeep.vacuum({ streams: ["readings"], orphans: false });
  expect(report.tables).toMatchObject([{ waitingOrphans: 1 }]);
  expect((await store.head(ORPHAN))?.bytes).toBe(1);
});

test("a vacuum that dies at any instant leaves every row, and the next one finishes", async () => {
  for (let at = 0; at < 40; at++) {
    const { store, clock, lake } = await compacted();
    await lake.upkeep.vacuum({ streams: ["readings"] });
    await clock.advance(2 * DAY_MS);
    const dying = new DyingStore(store, at, at % 2 === 0 ? "before" : "after");
    const died = await (await openLake(dying, clock)).upkeep.vacuum({ streams: ["readings"] }).then(
      () => false,
      () => true,
    );
    expect((await (await openLake(store, clock)).sql(ALL)).rows.length).toBe(8);
    if (died) await lake.upkeep.vacuum({ streams: ["readings"] });
    expect((await dataFiles(store)).filter((key) => key.endsWith(".parquet")).length).toBe(1);
    if (!died) return;
  }
  throw new Error("the vacuum takes fewer operations");
}, 60_000);

const name = fc.nat(12).map((i) => `date=2026-11-${20 + (i % 3)}/part-${i}.parquet`);

test("nothing that is active, young or unknown is ever among what goes", () => {
  fc.assert(
    fc.property(
      fc.record({
        active: fc.uniqueArray(name),
        tombstones: fc.dictionary(name, fc.nat(100)),
        seen: fc.dictionary(name, fc.nat(100)),
        listed: fc.uniqueArray(name),
        nowMs: fc.nat(100),
      }),
      ({ active, tombstones, seen, listed, nowMs }) => {
        const fileOf = (path: string): [string, AddFile] => [
          path,
          { path, partitionValues: {}, size: 1, modificationTime: 0, dataChange: true },
        ];
        const plan = planVacuum(
          {
            files: new Map(active.map(fileOf)),
            tombstones: new Map(
              Object.entries(tombstones).map(([path, deletionTimestamp]) => [
                path,
                { path, deletionTimestamp, dataChange: false },
              ]),
            ),
            listed: listed.map((key) => ({ key, bytes: 1 })),
            seen: new Map(Object.entries(seen)),
          },
          { tombstoneRetentionMs: 10, orphanGraceMs: 5 },
          nowMs,
        );
        for (const { path } of plan.remove) {
          expect(active).not.toContain(path);
          expect(listed).toContain(path);
          const since = tombstones[path] === undefined ? (seen[path] ?? Infinity) + 5 : tombstones[path] + 10;
          expect(since).toBeLessThanOrEqual(nowMs);
        }
      },
    ),
    { numRuns: 500 },
  );
});
