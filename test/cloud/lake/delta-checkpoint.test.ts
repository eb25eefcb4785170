import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { encodeNested } from "@sluice/shared/codec/arrow-nested.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { decodeCheckpoint, encodeCheckpoint } from "@sluice/cloud/lake/delta-checkpoint.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { checkpointKey, lastCheckpointKey } from "@sluice/cloud/lake/delta-listing.ts";
import type { Snapshot } from "@sluice/cloud/lake/delta-snapshot.ts";
import { Table, writeParquet } from "parquet-wasm";
import { expect, test } from "vitest";
import { appendOf, commitKey, fileOf, putCommit, readingsSchema, TABLE } from "./delta-table.ts";

const PREFIX = `${TABLE}_delta_log/`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A table with the versions 0 … last of one file each, with checkpoints where they are due. */
async function tableTo(last: number, store = new MemoryStore()): Promise<MemoryStore> {
  const log = new DeltaLog(store, TABLE);
  for (let i = 0; i <= last; i++) await log.append(appendOf("gw", i - 1, i, 1_000 * i));
  return store;
}

/** A log that collects what it was told of, and what it read. */
async function read(store: MemoryStore): Promise<{ snapshot: Snapshot; problems: string[]; log: DeltaLog }> {
  const problems: string[] = [];
  const log = new DeltaLog(store, TABLE, { onProblem: (error) => problems.push(error.message) });
  return { snapshot: await log.refresh(), problems, log };
}

const plain = ({ files, txns, tombstones, ...rest }: Snapshot): unknown => ({
  ...rest,
  files: [...files.keys()].toSorted(),
  txns: [...txns],
  tombstones: [...tombstones],
});

/** Removes the commits before a version, as a clean-up does. */
async function cleanTo(store: MemoryStore, version: number): Promise<void> {
  for (let i = 0; i < version; i++) await store.delete(commitKey(i));
}

test("a log is read from its newest checkpoint, and is the log that it is without", async () => {
  const store = await tableTo(230);
  expect((await store.head(checkpointKey(PREFIX, 199)))?.bytes).toBeGreaterThan(0);
  const { snapshot: expected } = await read(store);
  await cleanTo(store, 199);
  const { snapshot, problems } = await read(store);
  expect(plain(snapshot)).toEqual(plain(expected));
  expect(snapshot.files.size).toBe(231);
  expect(snapshot.committedAtMs).toBe(230_000);
  expect(problems).toEqual([]);
});

test.each([
  ["is missing", undefined],
  ["is empty", ""],
  ["is not JSON", "{"],
  ["names no version", '{"version":"199"}'],
  ["names a version that is not there", '{"version":7777}'],
  ["names an older checkpoint", '{"version":99}'],
  ["names a version without a checkpoint", '{"version":150}'],
])("a hint that %s changes nothing", async (_, hint) => {
  const store = await tableTo(205);
  await cleanTo(store, 99);
  if (hint === undefined) await store.delete(lastCheckpointKey(PREFIX));
  else await store.put(lastCheckpointKey(PREFIX), bytes(hint));
  expect((await read(store)).snapshot).toMatchObject({ version: 205, files: { size: 206 } });
});

test("a damaged checkpoint is told of, and an older one or the beginning takes its place", async () => {
  const store = await tableTo(205);
  await store.put(checkpointKey(PREFIX, 199), bytes("PAR1 but torn"));
  for (const cleanedTo of [0, 99]) {
    await cleanTo(store, cleanedTo);
    const { snapshot, problems } = await read(store);
    expect(snapshot).toMatchObject({ version: 205, files: { size: 206 } });
    expect(problems[0]).toContain(`${checkpointKey(PREFIX, 199)}: the checkpoint cannot be read as Parquet`);
  }
});

test("a damaged checkpoint that nothing can replace is an error that names it, and nothing is written", async () => {
  const store = await tableTo(205);
  await cleanTo(store, 199);
  await store.delete(checkpointKey(PREFIX, 99));
  await store.put(checkpointKey(PREFIX, 199), bytes("torn"));
  const log = new DeltaLog(store, TABLE);
  await expect(log.refresh()).rejects.toMatchObject({
    code: "lake.log_damaged",
    message: expect.stringContaining(checkpointKey(PREFIX, 199)),
    hint: expect.stringContaining("Restore the object"),
  });
  expect((await store.get(commitKey(206))).state).toBe("missing");
});

test.each([
  [
    "lacks a file",
    (s: Snapshot): Snapshot => ({ ...s, files: s.files.with(new Map([[fileOf("gw-99").path, undefined]])) }),
    "it lacks date=2026-11-21/part-gw-99",
  ],
  [
    "has another transaction",
    (s: Snapshot): Snapshot => ({ ...s, txns: s.txns.with(new Map([["gw", { appId: "gw", version: 3 }]])) }),
    "its transaction of gw is another",
  ],
  ["lacks the schema", (s: Snapshot): Snapshot => ({ ...s, metaData: undefined }), "has no metaData"],
])("a checkpoint that %s is not believed", async (_, change, message) => {
  const store = await tableTo(120);
  const { log } = await read(store);
  const right = await log.at({ version: 99 });
  await store.put(checkpointKey(PREFIX, 99), encodeCheckpoint(change(right)).body);
  const { snapshot, problems } = await read(store);
  expect(snapshot).toMatchObject({ version: 120, files: { size: 121 } });
  expect(problems[0]).toContain(message);
});

test("a checkpoint of another writer in parts is read when all of its parts are there", async () => {
  const store = await tableTo(20);
  const rows = [
    { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
    { metaData: { id: "x", schemaString: readingsSchema, partitionColumns: ["date"] } },
    ...Array.from({ length: 11 }, (_, i) => ({ add: fileOf(`gw-${i}`) })),
    { txn: { appId: "gw", version: 10 } },
  ];
  const columns = {
    protocol: { struct: { minReaderVersion: "integer", minWriterVersion: "integer" } },
    metaData: { struct: { id: "string", schemaString: "string", partitionColumns: { list: "string" } } },
    add: {
      struct: {
        path: "string",
        partitionValues: { map: "string" },
        size: "long",
        stats_parsed: { struct: { numRecords: "long" } },
      },
    },
    txn: { struct: { appId: "string", version: "long" } },
  } as const;
  const parts = [rows.slice(0, 6), rows.slice(6)].map((part) =>
    writeParquet(Table.fromIPCStream(encodeNested(columns, part))),
  );
  const partKey = (i: number): string =>
    `${PREFIX}${"10".padStart(20, "0")}.checkpoint.000000000${i + 1}.0000000002.parquet`;
  await store.put(partKey(0), parts[0] ?? bytes(""));
  expect((await read(store)).snapshot.files.size).toBe(21);
  await store.put(partKey(1), parts[1] ?? bytes(""));
  await cleanTo(store, 11);
  expect((await read(store)).snapshot).toMatchObject({ version: 20, files: { size: 21 } });
});

test("a checkpoint whose protocol is not known is refused, not passed over", async () => {
  const store = await tableTo(99);
  const { snapshot } = await read(store);
  await cleanTo(store, 99);
  const newer = {
    ...snapshot,
    protocol: {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ["deletionVectors"],
      writerFeatures: ["deletionVectors"],
    },
  };
  await store.put(checkpointKey(PREFIX, 99), encodeCheckpoint(newer).body);
  await expect(new DeltaLog(store, TABLE).refresh()).rejects.toMatchObject({
    code: "lake.protocol_unsupported",
    message: `${checkpointKey(PREFIX, 99)}: the table needs Delta reader version 3 with deletionVectors`,
  });
});

test("a store that refuses checkpoints costs no commit, and says so", async () => {
  const store = new MemoryStore();
  const refusing = Object.assign(new MemoryStore(), {
    put: async (key: string, ...rest: [Uint8Array, { ifAbsent?: boolean }?]) => {
      if (key.includes("checkpoint")) throw new PipelineError("store.denied", "no");
      return store.put(key, ...rest);
    },
    get: (key: string) => store.get(key),
    head: (key: string) => store.head(key),
    list: (...args: Parameters<MemoryStore["list"]>) => store.list(...args),
  });
  const problems: string[] = [];
  const log = new DeltaLog(refusing, TABLE, { onProblem: (error) => problems.push(error.code) });
  for (let i = 0; i <= 250; i++) expect(await log.append(appendOf("gw", i - 1, i))).toBe("committed");
  expect(problems).toEqual(["lake.checkpoint_failed", "lake.checkpoint_failed"]);
});

test("a checkpoint keeps every field of what it holds", async () => {
  const file = {
    ...fileOf("ü"),
    stats: '{"numRecords":1}',
    tags: { a: "b" },
    partitionValues: { date: null },
    dataChange: false,
  };
  const tombstone = {
    path: "p",
    deletionTimestamp: 2 ** 45,
    dataChange: false,
    extendedFileMetadata: true,
    partitionValues: { date: "2026-11-21" },
    size: 9,
  };
  const listed = (snapshot: Snapshot): unknown => ({
    ...snapshot,
    files: [...snapshot.files.values()],
    tombstones: [...snapshot.tombstones.values()],
    txns: [...snapshot.txns.values()],
  });
  const metaData = {
    id: "x",
    name: "readings",
    schemaString: readingsSchema,
    partitionColumns: ["date"],
    format: { provider: "parquet", options: {} },
    configuration: { "delta.appendOnly": "false" },
    createdTime: 1_700_000_000_000,
  };
  const store = new MemoryStore();
  await putCommit(
    store,
    0,
    { commitInfo: { timestamp: 0 } },
    { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
    { metaData },
    { add: file },
    { remove: tombstone },
    { txn: { appId: "gw", version: 7, lastUpdated: 3 } },
  );
  const { snapshot } = await read(store);
  const { body } = encodeCheckpoint(snapshot);
  expect(listed(decodeCheckpoint(0, [{ key: "k", body }]))).toEqual(listed(snapshot));
});
