import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { parseAsOf } from "@sluice/cloud/lake/as-of.ts";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { expect, onTestFinished, test } from "vitest";
import { DAY_US, EPOCH, label, land, landReadings } from "./rows.ts";

const HOUR_US = 3_600_000_000;
const COUNT = "SELECT count(*) FROM readings";
const hour = (hours: number): { atMs: number } => ({ atMs: (DAY_US + hours * HOUR_US) / 1_000 });

/** A lake with readings of one message at 1, 2 and 3 o'clock, and a label at 2. */
async function openLake(): Promise<{ store: MemoryStore; lake: Lake }> {
  const store = new MemoryStore();
  const dir = await mkdtemp(join(tmpdir(), "sluice-as-of-"));
  const clock = new SimulatedClock(DAY_US);
  const lake = await Lake.open({
    store,
    settings: lakeSettingsSchema.parse({ cacheDir: dir }),
    clock,
    log: silentLog,
  });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  for (let i = 0; i < 3; i++) {
    await clock.advance(3_600_000);
    await landReadings(store, i, i);
    if (i === 1)
      await land(store, { stream: "labels", gateway: "gw-1", epoch: EPOCH, from: 0, to: 0 }, [[label(0)]]);
    await lake.commitLanding();
  }
  return { store, lake };
}

test("a question as of a version or a time is answered from the tables as they were, and now as they are", async () => {
  const { lake } = await openLake();
  const count = async (asOf?: { version: number } | { atMs: number }): Promise<unknown> =>
    (await lake.sql(COUNT, { asOf })).rows[0]?.[0];
  expect(await count()).toBe(6);
  expect([await count({ version: 0 }), await count({ version: 1 }), await count({ version: 2 })]).toEqual([
    2, 4, 6,
  ]);
  expect(await count(hour(0.5))).toBe(0);
  expect(await count(hour(1))).toBe(2);
  expect(await count(hour(2.5))).toBe(4);
  expect(await count(hour(9))).toBe(6);
  expect(await count()).toBe(6);
});

test("a time means a version of each table, also behind the views on tables", async () => {
  const { lake } = await openLake();
  const both = "SELECT (SELECT count(*) FROM readings_corrected), (SELECT count(*) FROM labels)";
  expect((await lake.sql(both, { asOf: hour(1.5) })).rows).toEqual([[2, 0]]);
  expect((await lake.sql(both, { asOf: hour(2.5) })).rows).toEqual([[4, 1]]);
  expect((await lake.sql("SELECT count(*) FROM feature_values", { asOf: hour(2.5) })).rows).toEqual([[0]]);
});

test("a version of several tables at once, and one that is not there, are refused", async () => {
  const { lake } = await openLake();
  await expect(lake.sql(`${COUNT}, labels`, { asOf: { version: 0 } })).rejects.toMatchObject({
    code: "sql.invalid",
    message: "version 0 is of one table, and the query names the tables readings, labels",
    hint: expect.stringContaining("Give a time"),
  });
  await expect(lake.sql("SELECT 1", { asOf: { version: 0 } })).rejects.toMatchObject({ code: "sql.invalid" });
  await expect(lake.sql(COUNT, { asOf: { version: 3 } })).rejects.toMatchObject({
    code: "lake.version_unknown",
    hint: "The newest is 2.",
  });
  await expect(lake.sql("SELECT count(*) FROM features", { asOf: { version: 0 } })).rejects.toMatchObject({
    code: "lake.version_unknown",
    hint: "The table is not there yet.",
  });
});

test("a version whose files were vacuumed is refused as gone, not as damage", async () => {
  const { store, lake } = await openLake();
  for await (const { key } of store.list("tables/readings/date=")) await store.delete(key);
  await expect(lake.sql(COUNT, { asOf: { version: 1 } })).rejects.toMatchObject({
    code: "lake.version_gone",
    message: expect.stringContaining("tables/readings/date="),
    hint: expect.stringContaining("vacuumed"),
  });
});

test("what is asked for is a version, a time with its zone, or a day", () => {
  expect(parseAsOf("12")).toEqual({ version: 12 });
  expect(parseAsOf("2026-11-21T00:00:00.5Z")).toEqual({ atMs: DAY_US / 1_000 + 500 });
  expect(parseAsOf("2026-11-21T02:00+02:00")).toEqual({ atMs: DAY_US / 1_000 });
  expect(parseAsOf("2026-11-21")).toEqual({ atMs: DAY_US / 1_000 });
  for (const text of ["", "-1", "1.5", "yesterday", "2026-11-21T00:00:00", "2026-02-30", "9".repeat(20)])
    expect(() => parseAsOf(text)).toThrow(expect.objectContaining({ code: "config.as_of" }));
});
