import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { expect, test } from "vitest";
import { appendOf, commitKey, TABLE } from "./delta-table.ts";
import { EPOCH } from "./rows.ts";

const FOLDER = "test/golden/delta/checkpoint-of-delta-rs";

/** A table of ours that delta-rs has compacted and put a checkpoint on; the older commits were cleaned up. */
async function foreignTable(): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const name of await readdir(FOLDER))
    await store.put(`${TABLE}_delta_log/${name}`, await readFile(join(FOLDER, name)));
  return store;
}

test("a checkpoint that delta-rs wrote is read with its file, tombstones, transactions and time", async () => {
  const problems: unknown[] = [];
  const log = new DeltaLog(await foreignTable(), TABLE, { onProblem: (error) => problems.push(error) });
  const { files, tombstones, txns, ...rest } = await log.refresh();
  expect(problems).toEqual([]);
  expect(rest).toMatchObject({
    version: 2,
    committedAtMs: 1_795_277_622_349,
    protocol: { minReaderVersion: 1, minWriterVersion: 2 },
    metaData: { partitionColumns: ["date"] },
  });
  expect([...files.values()]).toMatchObject([
    {
      size: 6_593,
      partitionValues: { date: "2026-11-21" },
      stats: expect.stringContaining('"numRecords":260'),
    },
  ]);
  expect([...tombstones.values()].map(({ size }) => size)).toEqual([4_464, 5_120]);
  expect([...txns].map(([appId, { version }]) => [appId, version])).toEqual([
    [`gw-1/${EPOCH}/readings`, 119],
    [`gw-2/${EPOCH}/readings`, 9],
  ]);
});

test("an append goes on top of what delta-rs left", async () => {
  const store = await foreignTable();
  const log = new DeltaLog(store, TABLE);
  await log.refresh();
  expect(await log.append(appendOf(`gw-2/${EPOCH}/readings`, 9, 12))).toBe("committed");
  expect((await store.get(commitKey(3))).state).toBe("found");
  expect((await new DeltaLog(store, TABLE).refresh()).files.size).toBe(2);
});
