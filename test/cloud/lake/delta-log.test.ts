import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { Action } from "@sluice/cloud/lake/delta-action.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { schemaString } from "@sluice/cloud/lake/delta-schema.ts";
import { expect, test } from "vitest";
import { appendOf, commitKey, putCommit as put, readingsSchema as schema, TABLE } from "./delta-table.ts";

const head: readonly Action[] = [
  { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
  { metaData: { id: "x", schemaString: schema, partitionColumns: ["date"] } },
];

test("appends of writers that do not know of each other all get in, in some order", async () => {
  const store = new MemoryStore();
  const outcomes = await Promise.all(
    Array.from({ length: 6 }, async (_, writer) => {
      const log = new DeltaLog(store, TABLE);
      for (let i = 0; i < 8; i++)
        expect(await log.append(appendOf(`gw-${writer}`, i - 1, i))).toBe("committed");
    }),
  );
  expect(outcomes.length).toBe(6);
  const snapshot = await new DeltaLog(store, TABLE).refresh();
  expect(snapshot.version).toBe(47);
  expect(snapshot.files.size).toBe(48);
  expect([...snapshot.txns.values()].map(({ version }) => version)).toEqual([7, 7, 7, 7, 7, 7]);
});

test("of two writers of one stream, one commits and the other is told that it was overtaken", async () => {
  const store = new MemoryStore();
  const [a, b] = [new DeltaLog(store, TABLE), new DeltaLog(store, TABLE)];
  const outcomes = await Promise.all([a.append(appendOf("gw", -1, 5)), b.append(appendOf("gw", -1, 9))]);
  expect(outcomes.toSorted()).toEqual(["committed", "overtaken"]);
  expect((await a.refresh()).version).toBe(0);
});

test("an append goes on top of a commit by another engine, whose files and removals count", async () => {
  const store = new MemoryStore();
  const log = new DeltaLog(store, TABLE);
  await log.append(appendOf("gw", -1, 1));
  const other = { path: "date=2026-11-21/other.parquet", partitionValues: { date: "2026-11-21" }, size: 7 };
  await put(
    store,
    1,
    { commitInfo: { operation: "OPTIMIZE" } },
    { remove: { path: "date=2026-11-21/part-gw-1.parquet" } },
    { add: other },
    { futureAction: {} },
  );
  expect(await log.append(appendOf("gw", 1, 2))).toBe("committed");
  const snapshot = await new DeltaLog(store, TABLE).refresh();
  expect([...snapshot.files.keys()].sort()).toEqual([other.path, "date=2026-11-21/part-gw-2.parquet"]);
  expect(snapshot.version).toBe(2);
});

test("refresh reads what others committed since, and a table without commits is empty", async () => {
  const store = new MemoryStore();
  const reader = new DeltaLog(store, TABLE);
  expect((await reader.refresh()).version).toBe(-1);
  const writer = new DeltaLog(store, TABLE);
  await writer.append(appendOf("gw", -1, 0));
  expect((await reader.refresh()).version).toBe(0);
  await writer.append(appendOf("gw", 0, 1));
  await writer.append(appendOf("gw", 1, 2));
  expect((await reader.refresh()).files.size).toBe(3);
});

test("a log with a hole is refused, and nothing is written into the hole", async () => {
  const store = new MemoryStore();
  const log = new DeltaLog(store, TABLE);
  for (let i = 0; i < 3; i++) await log.append(appendOf("gw", i - 1, i));
  await store.delete(commitKey(1));
  const fresh = new DeltaLog(store, TABLE);
  await expect(fresh.refresh()).rejects.toMatchObject({
    code: "lake.log_hole",
    message: expect.stringContaining(commitKey(1)),
  });
  expect((await store.get(commitKey(1))).state).toBe("missing");
});

test.each([
  ["not JSON", '{"add":', "line 3: not JSON"],
  ["a bare value", "7", "line 3: not an object with one action"],
  ["two actions in a line", { add: {}, txn: {} }, "line 3: not an object with one action"],
  ["an add without a path", { add: { partitionValues: {}, size: 1 } }, "line 3: add.path is no string"],
  ["a txn with a text as version", { txn: { appId: "a", version: "1" } }, "line 3: txn.version is no number"],
])("a commit with %s is refused by name and line", async (_, line, message) => {
  const store = new MemoryStore();
  await put(store, 0, ...head, line);
  await expect(new DeltaLog(store, TABLE).refresh()).rejects.toMatchObject({
    code: "lake.log_damaged",
    message: expect.stringContaining(`${commitKey(0)} ${message}`),
  });
});

test("a table that needs a newer reader is not read", async () => {
  const store = new MemoryStore();
  await put(store, 0, {
    protocol: { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ["deletionVectors"] },
  });
  await expect(new DeltaLog(store, TABLE).refresh()).rejects.toMatchObject({
    code: "lake.protocol_unsupported",
    message: `${commitKey(0)}: the table needs Delta reader version 3 with deletionVectors`,
    hint: expect.stringContaining("deletion vectors"),
  });
});

test.each([
  ["a newer writer", { minReaderVersion: 1, minWriterVersion: 7 }, schema, "lake.protocol_unsupported"],
  [
    "invariants",
    { minReaderVersion: 1, minWriterVersion: 2 },
    schema.replace('"metadata":{}', '"metadata":{"delta.invariants":"x"}'),
    "lake.protocol_unsupported",
  ],
  [
    "another schema",
    { minReaderVersion: 1, minWriterVersion: 2 },
    schemaString("labels"),
    "lake.schema_mismatch",
  ],
])("a table with %s is read but not written", async (_, protocol, schemaText, code) => {
  const store = new MemoryStore();
  await put(
    store,
    0,
    { protocol },
    { metaData: { id: "x", schemaString: schemaText, partitionColumns: ["date"] } },
  );
  const log = new DeltaLog(store, TABLE);
  expect((await log.refresh()).version).toBe(0);
  await expect(log.append(appendOf("gw", -1, 0))).rejects.toMatchObject({ code });
  expect((await store.get(commitKey(1))).state).toBe("missing");
});

test("a protocol of features that ask for nothing more is read and written", async () => {
  const store = new MemoryStore();
  await put(
    store,
    0,
    {
      protocol: {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: [],
        writerFeatures: ["appendOnly", "invariants"],
      },
    },
    { metaData: { id: "x", schemaString: schema, partitionColumns: ["date"] } },
  );
  const log = new DeltaLog(store, TABLE);
  await log.refresh();
  expect(await log.append(appendOf("gw", -1, 0))).toBe("committed");
});

test("a feature of writers that is not known is named, and nothing is written", async () => {
  const store = new MemoryStore();
  await put(
    store,
    0,
    { protocol: { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ["appendOnly", "rowTracking"] } },
    { metaData: { id: "x", schemaString: schema, partitionColumns: ["date"] } },
  );
  const log = new DeltaLog(store, TABLE);
  await log.refresh();
  await expect(log.append(appendOf("gw", -1, 0))).rejects.toMatchObject({
    code: "lake.protocol_unsupported",
    message: `${TABLE}_delta_log/: the table needs Delta writer version 7 with rowTracking`,
  });
});

test("a table with other partitions takes no rows", async () => {
  const store = new MemoryStore();
  const metaData = { id: "x", name: "readings", schemaString: schema, partitionColumns: ["device", "date"] };
  await put(store, 0, head[0], { metaData });
  const log = new DeltaLog(store, TABLE);
  await log.refresh();
  await expect(log.append(appendOf("gw", -1, 0))).rejects.toMatchObject({
    code: "lake.schema_mismatch",
    message: "table readings: it is partitioned by device, date, and this version writes by date",
  });
});

test("a log whose beginning is missing is refused by the name of its first commit", async () => {
  const store = new MemoryStore();
  const log = new DeltaLog(store, TABLE);
  for (let i = 0; i < 3; i++) await log.append(appendOf("gw", i - 1, i));
  await store.delete(commitKey(0));
  await expect(new DeltaLog(store, TABLE).refresh()).rejects.toMatchObject({
    code: "lake.log_hole",
    message: expect.stringContaining(commitKey(0)),
    hint: expect.stringContaining("Restore"),
  });
});

test("an empty commit and one with Windows line ends or empty lines are read", async () => {
  const store = new MemoryStore();
  await put(store, 0, ...head.flatMap((line) => [line, ""]));
  await put(store, 1, "");
  await put(store, 2, `${JSON.stringify({ txn: { appId: "gw", version: 3 } })}\r`, "  ");
  const { version, txns } = await new DeltaLog(store, TABLE).refresh();
  expect([version, txns.get("gw")?.version]).toEqual([2, 3]);
});

test("a listing that shows newer commits and not an older one is no hole where the older one is there", async () => {
  class Forgetful extends MemoryStore {
    override async *list(...args: Parameters<MemoryStore["list"]>): ReturnType<MemoryStore["list"]> {
      for await (const info of super.list(...args))
        if (info.key !== commitKey(1) && info.key !== commitKey(4)) yield info;
    }
  }
  const store = new Forgetful();
  const log = new DeltaLog(store, TABLE);
  for (let i = 0; i < 5; i++) await log.append(appendOf("gw", i - 1, i));
  expect(await new DeltaLog(store, TABLE).refresh()).toMatchObject({ version: 4, files: { size: 5 } });
  await store.delete(commitKey(1));
  await expect(new DeltaLog(store, TABLE).refresh()).rejects.toMatchObject({ code: "lake.log_hole" });
});
