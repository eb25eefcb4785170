// Goal: answers in files are those that were asked for, whatever their types, and a question can be ended. Method: one
// query of every type with and without values is written as Arrow and Parquet and read by other libraries.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { interrupted, timedOut } from "@sluice/cloud/lake/sql-watch.ts";
import { parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { expect, onTestFinished, test } from "vitest";

async function emptyLake(): Promise<{ readonly lake: Lake; readonly dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-answer-"));
  const settings = lakeSettingsSchema.parse({ cacheDir: join(dir, "cache"), resultRowsMax: 5_000 });
  const lake = await Lake.open({ store: new MemoryStore(), settings, clock: systemClock, log: silentLog });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  return { lake, dir };
}

const QUERY = `SELECT i, i * 10000000000 AS big, i / 4 AS d, i % 2 = 0 AS b, 'ü' || i AS s, 'ab'::BLOB AS bytes,
  make_timestamptz(i + 7) AS t, [i / 2, NULL] AS l, ['x', 'y' || i] AS names, DATE '2026-11-21' AS day, 1.25::DECIMAL(9, 2) AS dec
  FROM (SELECT range::INTEGER AS i FROM range(3000))
  UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL ORDER BY i NULLS LAST; -- the end`;

test("an answer of all types is an Arrow stream with the same values, absent ones included", async () => {
  const { lake, dir } = await emptyLake();
  const path = join(dir, "a.arrow");
  expect(await lake.sqlToFile(QUERY, { path, format: "arrow" })).toBe(3_001);
  const table = tableFromIPC(await readFile(path));
  expect(table.schema.fields.map(({ type }) => String(type))).toEqual([
    "Int32",
    "Int64",
    "Float64",
    "Bool",
    "Utf8",
    "Binary",
    "Timestamp<MICROSECOND, UTC>",
    "List<Float64>",
    "List<Utf8>",
    "Utf8",
    "Float64",
  ]);
  const row = table.get(2_049)?.toJSON();
  expect(row).toMatchObject({
    i: 2_049,
    big: 20_490_000_000_000n,
    d: 512.25,
    b: false,
    s: "ü2049",
    day: "2026-11-21",
    dec: 1.25,
  });
  expect([...(row?.["l"] ?? [])]).toEqual([1_024.5, null]);
  expect([...(row?.["names"] ?? [])]).toEqual(["x", "y2049"]);
  expect(Object.values(table.get(3_000)?.toJSON() ?? {}).every((value) => value === null)).toBe(true);
});

test("the same is written as Parquet, without a limit of rows", async () => {
  const { lake, dir } = await emptyLake();
  const path = join(dir, "a.parquet");
  expect(await lake.sqlToFile("SELECT range AS n FROM range(20000)", { path, format: "parquet" })).toBe(
    20_000,
  );
  const body = Uint8Array.from(await readFile(path));
  expect((await parquetReadObjects({ file: body.buffer, compressors })).at(-1)).toEqual({ n: 19_999n });
  await expect(
    lake.sqlToFile("SELECT range AS n FROM range(20000)", { path: join(dir, "b.arrow"), format: "arrow" }),
  ).rejects.toMatchObject({ code: "sql.too_large", hint: expect.stringContaining("parquet") });
  expect(await readdir(dir)).not.toContain("b.arrow");
});

test("a file is no way to do more than read", async () => {
  const { lake, dir } = await emptyLake();
  const file = { path: join(dir, "a.csv"), format: "csv" } as const;
  for (const query of ["CREATE TABLE x AS SELECT 1", "SELECT 1; SELECT 2", "SELECT 1) TO '/tmp/x' --"])
    await expect(lake.sqlToFile(query, file)).rejects.toMatchObject({ code: "sql.invalid" });
  expect(await readdir(dir)).toEqual(["cache"]);
});

test("a question that runs is ended by its signal, whose reason is told, and the next one is answered", async () => {
  const { lake, dir } = await emptyLake();
  const endless = "SELECT count(*) FROM range(100000000000) AS a WHERE a.range % 7 = 3";
  const ending = new AbortController();
  const asked = lake.sql(endless, {
    signal: ending.signal,
    tell: () => setImmediate(() => ending.abort(interrupted())),
  });
  await expect(asked).rejects.toMatchObject({ code: "sql.interrupted" });
  const late = AbortSignal.abort(timedOut(5));
  await expect(
    lake.sqlToFile(endless, { path: join(dir, "a.parquet"), format: "parquet", signal: late }),
  ).rejects.toMatchObject({ code: "sql.timeout", message: expect.stringContaining("5 ms") });
  expect((await lake.sql("SELECT 1")).rows).toEqual([[1]]);
});
