import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { schemaString } from "@sluice/cloud/lake/delta-schema.ts";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { expect, onTestFinished, test } from "vitest";
import { commitKey, putCommit, TABLE } from "./delta-table.ts";
import { changeSchema, commitOlder } from "./older-table.ts";
import { DAY_US, EPOCH, land, landReadings, prediction, readingBlock, vector } from "./rows.ts";

const BEFORE = { day: "2026-11-21", committedAtMs: DAY_US / 1_000 + 86_000_000 };
const place = { gateway: "gw-1", epoch: EPOCH };

async function openLake(store: MemoryStore): Promise<Lake> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-evolution-"));
  const lake = await Lake.open({
    store,
    settings: lakeSettingsSchema.parse({ cacheDir: dir }),
    clock: new SimulatedClock(DAY_US + 86_400_000_000),
    log: silentLog,
  });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  return lake;
}

/** A commit that makes a table of readings with this schema. */
const tableWith = (store: MemoryStore, schema: string): Promise<unknown> =>
  putCommit(
    store,
    0,
    { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
    { metaData: { id: "other", schemaString: schema, partitionColumns: ["date"] } },
  );

test("tables of an older version get the columns that came since, and their old rows have null there", async () => {
  const store = new MemoryStore();
  await commitOlder(
    store,
    { ...place, stream: "readings", from: 0, to: 1 },
    { missing: ["withheld"], rows: [readingBlock(0, 2)], ...BEFORE },
  );
  await commitOlder(
    store,
    { ...place, stream: "features", from: 0, to: 0 },
    { missing: ["closed_by", "violations", "withheld"], rows: [[vector(0)]], ...BEFORE },
  );
  await commitOlder(
    store,
    { ...place, stream: "predictions", from: 0, to: 0 },
    { missing: ["unlike_training"], rows: [[prediction(0)]], ...BEFORE },
  );
  const lake = await openLake(store);
  const counts = `SELECT (SELECT count(*) FROM readings), (SELECT count(withheld) FROM readings),
    (SELECT count(*) FROM features), (SELECT count(closed_by) FROM features), (SELECT count(violations) FROM features),
    (SELECT count(*) FROM predictions), (SELECT count(unlike_training) FROM predictions)`;
  expect((await lake.sql(counts)).rows).toEqual([[4, 0, 1, 0, 0, 1, 0]]);

  await landReadings(store, 2, 3);
  await land(store, { ...place, stream: "features", from: 1, to: 1 }, [[vector(1)]]);
  await land(store, { ...place, stream: "predictions", from: 1, to: 1 }, [[prediction(1)]]);
  expect(await lake.commitLanding()).toMatchObject({ commits: 3, setAside: [], lost: [] });
  expect((await lake.sql(counts)).rows).toEqual([[8, 4, 2, 1, 1, 2, 1]]);
  // The table as it was, too.
  expect(
    (await lake.sql("SELECT count(*), count(withheld) FROM readings", { asOf: { version: 0 } })).rows,
  ).toEqual([[4, 0]]);

  // The columns and the rows are one commit: no version has the one without the other.
  const commit = await store.get(commitKey(1));
  const text = commit.state === "found" ? new TextDecoder().decode(commit.object.body) : "";
  expect(text.match(/^\{"(\w+)"/gm)).toEqual(['{"commitInfo"', '{"metaData"', '{"txn"', '{"add"']);
  await landReadings(store, 4, 4);
  await lake.commitLanding();
  const next = await store.get(commitKey(2));
  expect(next.state === "found" && new TextDecoder().decode(next.object.body)).not.toContain("metaData");
});

test("readings of an older version are what they were for features and models", async () => {
  const store = new MemoryStore();
  await commitOlder(
    store,
    { ...place, stream: "readings", from: 0, to: 1 },
    { missing: ["withheld"], rows: [readingBlock(0, 2)], ...BEFORE },
  );
  await commitOlder(
    store,
    { ...place, stream: "features", from: 0, to: 0 },
    { missing: ["closed_by", "violations", "withheld"], rows: [[vector(0)]], ...BEFORE },
  );
  const lake = await openLake(store);
  const blocks = await Array.fromAsync(lake.readings({ ...place, fromOffset: 0 }));
  expect(blocks.map(({ count, withheld }) => [count, [...withheld]])).toEqual([[4, [0, 0, 0, 0]]]);
  const vectors = await lake.vectors({ viewHash: "a".repeat(64) });
  expect([[...vectors.seq], [...vectors.withheld]]).toEqual([[0], [0]]);
});

test("two programs that add the same columns at once add them once, and both get their rows in", async () => {
  const store = new MemoryStore();
  await commitOlder(
    store,
    { ...place, stream: "readings", from: 0, to: 1 },
    { missing: ["withheld"], rows: [readingBlock(0, 2)], ...BEFORE },
  );
  const lakes = [await openLake(store), await openLake(store)];
  await landReadings(store, 2, 3);
  await landReadings(store, 0, 1, { gateway: "gw-2" });
  await Promise.all(lakes.map((lake) => lake.commitLanding()));
  for (const lake of lakes)
    expect((await lake.sql("SELECT count(*), count(withheld) FROM readings")).rows).toEqual([[12, 8]]);
  const { metaData } = await new DeltaLog(store, TABLE).refresh();
  expect(metaData?.schemaString.match(/"withheld"/g)).toHaveLength(1);
});

test("a newer version's nullable columns are left null, and its rows are still read", async () => {
  const store = new MemoryStore();
  const extra = { name: "shift", type: "string", nullable: true, metadata: {} };
  await tableWith(
    store,
    changeSchema(schemaString("readings"), (fields) => [...fields, extra]),
  );
  const lake = await openLake(store);
  await landReadings(store, 0, 1);
  expect(await lake.commitLanding()).toMatchObject({ rows: 4 });
  expect((await lake.sql("SELECT count(*) FROM readings")).rows).toEqual([[4]]);
  expect((await new DeltaLog(store, TABLE).refresh()).metaData?.schemaString).toContain('"shift"');
});

test("a changed type is refused with the column, both types and the remedy; what landed stays", async () => {
  const store = new MemoryStore();
  await tableWith(
    store,
    changeSchema(schemaString("readings"), (fields) =>
      fields.map((field) => (field["name"] === "value" ? { ...field, type: "float" } : field)),
    ),
  );
  const lake = await openLake(store);
  const key = await landReadings(store, 0, 1);
  await expect(lake.commitLanding()).rejects.toMatchObject({
    code: "lake.schema_mismatch",
    message: "table readings: column value is float, and this version writes double",
    hint: expect.stringContaining("Run the version that wrote the table"),
  });
  expect((await store.get(key)).state).toBe("found");
  expect((await store.get(commitKey(1))).state).toBe("missing");
});
