import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { GetOptions, GetResult, ObjectStore } from "@sluice/shared/store/object-store.ts";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { expect, onTestFinished, test } from "vitest";
import { DAY_US, landReadings } from "./rows.ts";

/** Notes which table files are fetched. */
class NotingStore extends MemoryStore {
  readonly fetched: string[] = [];
  override get(key: string, options?: GetOptions): Promise<GetResult> {
    if (key.endsWith(".parquet")) this.fetched.push(key);
    return super.get(key, options);
  }
}

async function openLake(store: ObjectStore): Promise<Lake> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-prune-"));
  const lake = await Lake.open({
    store,
    settings: lakeSettingsSchema.parse({ cacheDir: dir }),
    clock: new SimulatedClock(DAY_US + 5 * 86_400_000_000),
    log: silentLog,
  });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  return lake;
}

/** Four gateways with a file each per commit; the commits are six hours apart and reach over three days. */
async function filledStore(): Promise<NotingStore> {
  const store = new NotingStore();
  const lake = await openLake(store);
  for (let i = 0; i < 10; i++) {
    for (const gateway of ["gw-1", "gw-2"])
      await landReadings(store, i * 6, i * 6 + 5, { gateway, stepUs: 3_600_000_000 });
    await lake.commitLanding();
  }
  return store;
}

const QUERIES: readonly (readonly [query: string, files: number])[] = [
  [`SELECT count(*), sum("offset") FROM readings`, 10],
  [
    `SELECT count(*) FROM readings WHERE measured_at >= '2026-11-21 07:00' AND measured_at < '2026-11-21 08:30'`,
    1,
  ],
  [`SELECT count(*) FROM readings WHERE date = '2026-11-22'`, 4],
  [`SELECT count(*) FROM readings WHERE date_trunc('day', measured_at) = '2026-11-22'`, 5],
  [`SELECT count(*) FROM readings WHERE device = 'pump-2'`, 0],
  [`SELECT count(*) FROM readings WHERE device LIKE 'pump%' AND "offset" BETWEEN 12 AND 17`, 1],
  [`SELECT count(*) FROM readings WHERE device IN ('x', 'pump-1') AND "offset" = 3`, 1],
  [`SELECT count(*) FROM readings WHERE "offset" = 3 OR "offset" = 59`, 10],
  [
    `WITH late AS (SELECT * FROM readings WHERE "offset" > 53) SELECT count(*), max("offset") FROM late WHERE gateway = 'gw-1'`,
    1,
  ],
  [
    `SELECT count(*) FROM readings a JOIN readings b ON a."offset" + 48 = b."offset" AND a."index" = b."index" WHERE a."offset" < 6 AND b."offset" > 53`,
    2,
  ],
  [
    `SELECT (SELECT max("offset") FROM readings WHERE "offset" < 6), (SELECT min("offset") FROM readings WHERE "offset" >= 54)`,
    2,
  ],
  [`SELECT count(*) FROM readings_corrected WHERE "offset" < 6`, 1],
  [`SELECT count(*) FROM readings_corrected WHERE measured_at < '2026-11-21 03:00'`, 10],
  [
    `SELECT count(*) FROM readings WHERE "offset" < (SELECT min("offset") + 3 FROM readings WHERE date = '2026-11-21')`,
    10,
  ],
  [`SELECT count(*) FROM readings WHERE measured_at > now() + INTERVAL 100 YEAR`, 0],
  [`SELECT count(*) FROM readings WHERE 1 = 0`, 10],
  [`SELECT count(*) FROM (FROM readings LIMIT 3)`, 10],
  [`SELECT count(*) OVER (), "offset" FROM readings WHERE "offset" > 57 ORDER BY ALL`, 1],
  [`DESCRIBE readings`, 10],
  [`SUMMARIZE readings`, 10],
  [`EXPLAIN SELECT * FROM readings WHERE "offset" < 6`, 10],
];

test("a question fetches the files that may matter to it, and its answer is the one from all files", async () => {
  const store = await filledStore();
  // Everything is in its cache, and nothing is left out of a list of files without statistics.
  const bare = new MemoryStore();
  for await (const { key } of store.list("tables/")) {
    const got = await store.get(key);
    if (got.state !== "found") continue;
    const text = new TextDecoder().decode(got.object.body);
    const isLog = key.endsWith(".json");
    const without = isLog
      ? text
          .replaceAll(/"stats":"(?:[^"\\]|\\.)*"/g, `"stats":"{}"`)
          .replaceAll(/"partitionValues":\{"date":/g, `"partitionValues":{"date":`)
      : "";
    await bare.put(key, isLog ? new TextEncoder().encode(without) : got.object.body);
  }
  const whole = await openLake(bare);
  for (const [query, files] of QUERIES) {
    const lake = await openLake(store);
    store.fetched.length = 0;
    const answer = await lake.sql(query);
    expect([query, store.fetched.length]).toEqual([query, files]);
    // What these two say of a table is an estimate.
    const isExact = !/^(EXPLAIN|SUMMARIZE)/.test(query);
    expect(isExact ? answer : undefined).toEqual(isExact ? await whole.sql(query) : undefined);
  }
});

test("a query that is wrong is refused with the engine's words, and the next one is answered", async () => {
  const lake = await openLake(await filledStore());
  for (const query of [
    "SELECT nothing FROM readings",
    "SELECT FROM readings WHERE",
    "SELECT 1 FROM readings; SELECT 2",
  ])
    await expect(lake.sql(query)).rejects.toMatchObject({ code: "sql.invalid" });
  expect((await lake.sql(`SELECT count(*) FROM readings WHERE "offset" = 1`)).rows).toEqual([[4]]);
});

test("a text with quotes and line breaks in a condition hides no row", async () => {
  const lake = await openLake(await filledStore());
  const odd = "pump-1\noffset>500\n'; x='y";
  const query = `SELECT count(*) FROM readings WHERE device = '${odd.replaceAll("'", "''")}' OR device = 'pump-1'`;
  expect((await lake.sql(query)).rows).toEqual([[240]]);
  const below = "SELECT count(*) FROM readings WHERE device <= 'pump-1\noffset>500\nz'";
  expect((await lake.sql(below)).rows).toEqual([[240]]);
});
