import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { expect, onTestFinished, test } from "vitest";
import { DAY_US, landReadings } from "./rows.ts";

const DAY = 86_400_000_000;
const COUNT = "SELECT date::VARCHAR, count(*) FROM readings GROUP BY 1 ORDER BY 1";

/** Two series with a reading each every minute for two days. */
async function openLake(
  readings: object,
): Promise<{ store: ObjectStore; lake: Lake; clock: SimulatedClock }> {
  const store = new MemoryStore();
  const clock = new SimulatedClock(DAY_US + 2 * DAY);
  const dir = await mkdtemp(join(tmpdir(), "sluice-retention-"));
  const settings = lakeSettingsSchema.parse({ cacheDir: dir, compactAfterMs: 0, retention: { readings } });
  const lake = await Lake.open({ store, settings, clock, log: silentLog });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  for (const from of [0, 1_440]) {
    await landReadings(store, from, from + 1_439, { stepUs: 60_000_000 });
    await lake.commitLanding();
  }
  return { store, lake, clock };
}

test("a day that is old enough keeps the first reading of each series and interval, unchanged, and once", async () => {
  const { lake, clock } = await openLake({ thinAfterDays: 3, thinIntervalMs: 360_000 });
  await clock.advance((DAY_US + 4 * DAY - 1 - clock.nowUs()) / 1_000);
  expect((await lake.upkeep.retain()).days).toEqual([]);
  await clock.advance((DAY_US + 4 * DAY - clock.nowUs()) / 1_000);
  const before = await lake.sql(
    `SELECT * FROM readings WHERE date = '2026-11-21' AND "offset" % 6 = 0 ORDER BY "offset", "index"`,
  );
  const report = await lake.upkeep.retain();
  expect(report).toMatchObject({
    days: [{ table: "readings", day: "2026-11-21", kind: "thin", rowsBefore: 2_880, rowsAfter: 480 }],
    conflicts: [],
  });
  expect((await lake.sql(COUNT)).rows).toEqual([
    ["2026-11-21", 480],
    ["2026-11-22", 2_880],
  ]);
  expect(
    await lake.sql(`SELECT * FROM readings WHERE date = '2026-11-21' ORDER BY "offset", "index"`),
  ).toEqual(before);
  expect((await lake.upkeep.retain()).days).toEqual([]);
  // Compaction remembers that the day was thinned.
  await lake.upkeep.compact();
  expect((await lake.upkeep.retain()).days).toEqual([]);
});

test("readings that come late to a thinned day make it due again", async () => {
  const { store, lake, clock } = await openLake({ thinAfterDays: 1, thinIntervalMs: 360_000 });
  await clock.advance((DAY_US + 2 * DAY - clock.nowUs()) / 1_000);
  await lake.upkeep.retain();
  await landReadings(store, 0, 1_439, { gateway: "gw-2", stepUs: 60_000_000 });
  await lake.commitLanding();
  expect((await lake.upkeep.retain()).days).toMatchObject([
    { kind: "thin", rowsBefore: 3_360, rowsAfter: 960 },
  ]);
});

test("a day past its time is dropped whole by one commit that says why, and is there for those who look back", async () => {
  const { store, lake, clock } = await openLake({ dropAfterDays: 5 });
  await clock.advance((DAY_US + 6 * DAY - clock.nowUs()) / 1_000);
  const dry = await lake.upkeep.retain({ dryRun: true });
  expect(dry.days).toMatchObject([
    { kind: "drop", day: "2026-11-21", rowsBefore: 2_880, rowsAfter: undefined },
  ]);
  expect((await lake.sql(COUNT)).rows.length).toBe(2);
  const report = await lake.upkeep.retain();
  expect(report.days).toMatchObject([{ kind: "drop", rowsAfter: 0 }]);
  expect((await lake.sql(COUNT)).rows).toEqual([["2026-11-22", 2_880]]);
  expect((await lake.sql(COUNT, { asOf: { version: 1 } })).rows.length).toBe(2);
  const commit = await store.get(`${tablePrefix("readings")}_delta_log/${"2".padStart(20, "0")}.json`);
  if (commit.state !== "found") throw new Error("the drop is a commit");
  const lines = new TextDecoder().decode(commit.object.body).trim().split("\n");
  const { commitInfo }: Record<string, unknown> = JSON.parse(lines[0] ?? "");
  expect(commitInfo).toMatchObject({
    operation: "DELETE",
    operationParameters: { retention: "drop", reason: "the day ended 5 days ago or earlier" },
    operationMetrics: { numDeletedRows: "2880", numRemovedFiles: "1" },
  });
});

test("without a policy nothing goes, however old it is", async () => {
  const { lake, clock } = await openLake({});
  await clock.advance((DAY_US + 4_000 * DAY - clock.nowUs()) / 1_000);
  expect(await lake.upkeep.retain()).toEqual({ days: [], conflicts: [] });
});
