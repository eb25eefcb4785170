import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { cleanUpLog } from "@sluice/cloud/lake/delta-cleanup.ts";
import { DeltaReader } from "@sluice/cloud/lake/delta-reader.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { checkpointKey, listLog } from "@sluice/cloud/lake/delta-listing.ts";
import { expect, test } from "vitest";
import { appendOf, commitKey, TABLE } from "./delta-table.ts";

const PREFIX = `${TABLE}_delta_log/`;
const DAY_MS = 86_400_000;

/** Commits of an hour each, so a hundred of them are about four days. */
async function hours(log: DeltaLog, from: number, through: number): Promise<void> {
  for (let i = from; i <= through; i++) {
    const append = appendOf("gw", i - 1, i, i * 3_600_000);
    const landed = [{ key: `landing/${i}`, sha256: String(i), rows: 1 }];
    await log.append({ ...append, commitInfo: { ...append.commitInfo, sluice: { landed, lost: [] } } });
  }
}

test("what no version within the retention needs is deleted, and everything since can be read", async () => {
  const store = new MemoryStore();
  const log = new DeltaLog(store, TABLE, { retentionMs: 5 * DAY_MS });
  await hours(log, 0, 399);
  // The checkpoint at 399 leaves 120 hours: version 279 must be readable, and 199 is the checkpoint before it.
  const { commits, checkpoints } = await listLog(store, PREFIX);
  expect([commits[0], commits.length]).toEqual([199, 201]);
  expect(checkpoints.map(({ version }) => version)).toEqual([199, 299, 399]);
  const fresh = new DeltaLog(store, TABLE);
  expect(await fresh.refresh()).toMatchObject({ version: 399, files: { size: 400 } });
  for (const version of [199, 279, 340, 399])
    expect(await fresh.at({ version })).toMatchObject({ version, files: { size: version + 1 } });
  await expect(fresh.at({ version: 198 })).rejects.toMatchObject({
    code: "lake.version_gone",
    hint: expect.stringContaining("199"),
  });
  expect(await fresh.at({ atMs: 280.5 * 3_600_000 })).toMatchObject({ version: 280 });
  await expect(fresh.at({ atMs: 100 * 3_600_000 })).rejects.toMatchObject({ code: "lake.version_gone" });
});

test("a clean-up that is broken off anywhere leaves a log that is read, and the next one goes on", async () => {
  const store = new MemoryStore();
  const writer = new DeltaLog(store, TABLE);
  await hours(writer, 0, 250);
  const reader = new DeltaReader(store, PREFIX, (error) => expect.fail(error.message));
  for (let deletes = 0; deletes < 220; deletes += 37) {
    let left = deletes;
    const breaking = Object.assign(Object.create(null), {
      delete: (key: string) => (left-- > 0 ? store.delete(key) : Promise.reject(new Error("power is gone"))),
    });
    await cleanUpLog({ store: breaking, prefix: PREFIX, reader, keepFromMs: Infinity }).catch(
      () => undefined,
    );
    expect(await new DeltaLog(store, TABLE).refresh()).toMatchObject({ version: 250, files: { size: 251 } });
    for (const version of [199, 230])
      expect((await new DeltaLog(store, TABLE).at({ version })).files.size).toBe(version + 1);
  }
  expect((await listLog(store, PREFIX)).commits[0]).toBe(199);
});

test("nothing is deleted where the checkpoint that would carry the rest is damaged", async () => {
  const store = new MemoryStore();
  const problems: string[] = [];
  const log = new DeltaLog(store, TABLE, {
    retentionMs: 5 * DAY_MS,
    onProblem: ({ message }) => problems.push(message),
  });
  await hours(log, 0, 350);
  await store.put(checkpointKey(PREFIX, 199), new TextEncoder().encode("torn"));
  await hours(log, 351, 399);
  expect((await listLog(store, PREFIX)).commits[0]).toBe(99);
  expect(problems[0]).toContain(checkpointKey(PREFIX, 199));
});

test("what became of a landing object is known after a start from a checkpoint, as far back as it matters", async () => {
  const store = new MemoryStore();
  const options = { retentionMs: 0, rememberMs: 5 * DAY_MS };
  await hours(new DeltaLog(store, TABLE, options), 0, 399);
  const log = new DeltaLog(store, TABLE, options);
  await log.refresh();
  for (const i of [280, 300, 398, 399])
    expect(await log.fateOf(`landing/${i}`)).toEqual({
      state: "landed",
      atMs: i * 3_600_000,
      sha256: String(i),
    });
  for (const key of ["landing/270", "landing/never"]) expect(await log.fateOf(key)).toBeUndefined();
});

test("a program that slept while the log was cleaned up goes on at the newest version, not in the gap", async () => {
  const store = new MemoryStore();
  const sleeper = new DeltaLog(store, TABLE, { retentionMs: 5 * DAY_MS });
  await hours(sleeper, 0, 20);
  const log = new DeltaLog(store, TABLE, { retentionMs: 5 * DAY_MS });
  await log.refresh();
  await hours(log, 21, 399);
  expect((await store.get(commitKey(21))).state).toBe("missing");
  expect(await sleeper.refresh()).toMatchObject({ version: 399, files: { size: 400 } });
});

test("a log whose newest commit was taken away is a hole, and nothing is committed on top", async () => {
  const store = new MemoryStore();
  const log = new DeltaLog(store, TABLE);
  await hours(log, 0, 5);
  await store.delete(commitKey(5));
  await expect(log.refresh()).rejects.toMatchObject({
    code: "lake.log_hole",
    message: expect.stringContaining(commitKey(5)),
  });
});
