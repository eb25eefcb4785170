import { newUuid } from "@sluice/shared/runtime/random.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { Rewrite } from "@sluice/cloud/lake/delta-conflict.ts";
import { tableColumns } from "@sluice/cloud/lake/delta-schema.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { expect, test } from "vitest";
import { appendOf, commitKey, fileOf, putCommit, readingsSchema, TABLE } from "./delta-table.ts";

const rewriteOf = (remove: readonly string[], add: readonly string[]): Rewrite => ({
  remove: remove.map((name) => fileOf(name).path),
  add: add.map(fileOf),
  commitInfo: { txnId: newUuid(), timestamp: 9_000, operation: "OPTIMIZE" },
});

/** A table with the files gw-0 … gw-<last>, and a log that has read it. */
async function tableTo(last: number): Promise<{ store: MemoryStore; log: DeltaLog }> {
  const store = new MemoryStore();
  const log = new DeltaLog(store, TABLE);
  for (let i = 0; i <= last; i++) await log.append(appendOf("gw", i - 1, i));
  return { store, log };
}

/** A store whose first put says that the object was there, as one does after a try whose answer was lost. */
class LossyStore implements ObjectStore {
  readonly #inner: ObjectStore;
  #lost = false;
  constructor(inner: ObjectStore) {
    this.#inner = inner;
  }
  async put(...args: Parameters<ObjectStore["put"]>): Promise<"created" | "exists"> {
    const result = await this.#inner.put(...args);
    if (this.#lost) return result;
    this.#lost = true;
    return "exists";
  }
  get(...args: Parameters<ObjectStore["get"]>): ReturnType<ObjectStore["get"]> {
    return this.#inner.get(...args);
  }
  head(key: string): ReturnType<ObjectStore["head"]> {
    return this.#inner.head(key);
  }
  list(...args: Parameters<ObjectStore["list"]>): ReturnType<ObjectStore["list"]> {
    return this.#inner.list(...args);
  }
  delete(key: string): Promise<void> {
    return this.#inner.delete(key);
  }
}

const names = (log: DeltaLog): string[] =>
  [...log.snapshot.files.keys()].map((path) => /part-(.+)\.parquet/.exec(path)?.[1] ?? path).sort();

test("a rewrite puts files in the place of others, which stay behind as tombstones with size and partition", async () => {
  const { store, log } = await tableTo(2);
  expect(await log.rewrite(rewriteOf(["gw-0", "gw-1"], ["big"]))).toEqual({ state: "committed" });
  for (const reader of [log, new DeltaLog(store, TABLE)]) {
    await reader.refresh();
    expect(names(reader)).toEqual(["big", "gw-2"]);
    expect([...reader.snapshot.tombstones.values()]).toEqual(
      [0, 1].map((i) => ({
        path: fileOf(`gw-${i}`).path,
        deletionTimestamp: 9_000,
        dataChange: false,
        extendedFileMetadata: true,
        partitionValues: { date: "2026-11-21" },
        size: 1,
      })),
    );
    expect(reader.snapshot.files.get(fileOf("big").path)?.dataChange).toBe(false);
  }
});

test("a rewrite goes on top of appends, and an append on top of a rewrite, that came meanwhile", async () => {
  const { store, log } = await tableTo(1);
  const compactor = new DeltaLog(store, TABLE);
  await compactor.refresh();
  await log.append(appendOf("gw", 1, 2));
  expect((await compactor.rewrite(rewriteOf(["gw-0", "gw-1"], ["big"]))).state).toBe("committed");
  // This log has not read the rewrite.
  expect(await log.append(appendOf("gw", 2, 3))).toBe("committed");
  expect(log.snapshot.version).toBe(4);
  expect(names(log)).toEqual(["big", "gw-2", "gw-3"]);
});

test("of two rewrites of the same file one is committed, and the other is told which file is gone", async () => {
  const { store, log } = await tableTo(2);
  const other = new DeltaLog(store, TABLE);
  await other.refresh();
  const outcomes = await Promise.all([
    log.rewrite(rewriteOf(["gw-0", "gw-1"], ["a"])),
    other.rewrite(rewriteOf(["gw-1", "gw-2"], ["b"])),
  ]);
  expect(outcomes.filter(({ state }) => state === "committed").length).toBe(1);
  expect(outcomes).toContainEqual({
    state: "conflict",
    reason: `another writer has removed ${fileOf("gw-1").path}`,
  });
  expect((await new DeltaLog(store, TABLE).refresh()).version).toBe(3);
});

test.each([
  ["schema", { metaData: { id: "x", schemaString: `${readingsSchema} `, partitionColumns: ["date"] } }],
  ["protocol", { protocol: { minReaderVersion: 1, minWriterVersion: 1 } }],
])("a rewrite does not go on top of a changed %s, and nothing is written", async (what, action) => {
  const { store, log } = await tableTo(0);
  await putCommit(store, 1, action);
  expect(await log.rewrite(rewriteOf(["gw-0"], ["a"]))).toEqual({
    state: "conflict",
    reason: `the table's ${what} was changed`,
  });
  expect((await store.get(commitKey(2))).state).toBe("missing");
});

test("a rewrite whose answer was lost is found again and not taken for another's", async () => {
  const { store, log } = await tableTo(1);
  const compactor = new DeltaLog(new LossyStore(store), TABLE);
  await compactor.refresh();
  expect(await compactor.rewrite(rewriteOf(["gw-0", "gw-1"], ["big"]))).toEqual({ state: "committed" });
  expect((await log.refresh()).version).toBe(2);
});

test("a file that is put again under its own path is active and no tombstone", async () => {
  const { log } = await tableTo(0);
  await log.rewrite(rewriteOf(["gw-0"], ["gw-0"]));
  expect(names(log)).toEqual(["gw-0"]);
  expect(log.snapshot.tombstones.size).toBe(0);
});

test("times of commits only grow, whatever the clocks of their writers say", async () => {
  const { store, log } = await tableTo(0);
  await log.append(appendOf("gw", 0, 1, 1_000));
  await new DeltaLog(store, TABLE).append(appendOf("other", -1, 1, 400));
  await log.append(appendOf("gw", 1, 2, 300));
  expect(log.snapshot.committedAtMs).toBe(1_002);
});

test("rows of a table for appending only are arranged anew, and not deleted", async () => {
  const { store, log } = await tableTo(1);
  const configuration = { "delta.appendOnly": "true" };
  await putCommit(store, 2, {
    metaData: { id: "x", schemaString: readingsSchema, partitionColumns: ["date"], configuration },
  });
  await log.refresh();
  await expect(log.rewrite({ ...rewriteOf(["gw-0"], []), dataChange: true })).rejects.toMatchObject({
    code: "lake.protocol_unsupported",
    message: expect.stringContaining("appending only"),
  });
  expect((await log.rewrite(rewriteOf(["gw-0", "gw-1"], ["big"]))).state).toBe("committed");
});

test("an append looks at a schema that was changed meanwhile, and goes on top of it only where it may", async () => {
  const { store, log } = await tableTo(0);
  const schemaWith = (type: string): string =>
    readingsSchema.replace('"name":"value","type":"double"', `"name":"value","type":"${type}"`);
  const metaDataOf = (schemaString: string): object => ({
    metaData: { id: "x", schemaString, partitionColumns: ["date"] },
  });
  const extra = '{"name":"shift","type":"string","nullable":true,"metadata":{}}';
  await putCommit(store, 1, metaDataOf(readingsSchema.replace(/\]\}$/, `,${extra}]}`)));
  expect(await log.append(appendOf("gw", 0, 1))).toBe("committed");
  expect(log.snapshot.metaData?.schemaString).toContain("shift");
  await putCommit(store, 3, metaDataOf(schemaWith("float")));
  await expect(log.append(appendOf("gw", 1, 2))).rejects.toMatchObject({
    code: "lake.schema_mismatch",
    message: "table readings: column value is float, and this version writes double",
  });
  expect((await store.get(commitKey(4))).state).toBe("missing");
});

test("an append does not go on top of a protocol that was changed meanwhile to one that is not known", async () => {
  const { store, log } = await tableTo(0);
  await putCommit(store, 1, { protocol: { minReaderVersion: 1, minWriterVersion: 4 } });
  await expect(log.append(appendOf("gw", 0, 1))).rejects.toMatchObject({ code: "lake.protocol_unsupported" });
  expect((await store.get(commitKey(2))).state).toBe("missing");
});

test("a version that does not know a column of the table does not write its files anew, and may drop them", async () => {
  const { store } = await tableTo(1);
  const extra = '{"name":"shift","type":"string","nullable":true,"metadata":{}}';
  const schemaString = readingsSchema.replace(/\]\}$/, `,${extra}]}`);
  const metaData = { id: "x", name: "readings", schemaString, partitionColumns: ["date"] };
  await putCommit(store, 2, { metaData });
  const older = new DeltaLog(store, TABLE, { columns: tableColumns("readings") });
  await older.refresh();
  await expect(older.rewrite(rewriteOf(["gw-0", "gw-1"], ["big"]))).rejects.toMatchObject({
    code: "lake.schema_mismatch",
    message:
      "table readings: this version does not know shift (string), and would lose what is there by writing files anew",
    hint: expect.stringContaining("run that one"),
  });
  expect((await store.get(commitKey(3))).state).toBe("missing");
  expect((await older.rewrite({ ...rewriteOf(["gw-0"], []), dataChange: true })).state).toBe("committed");
});
