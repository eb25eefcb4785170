// Goal: the proof goes on where the log was cleaned up. Method: a log of 250 commits, of which the first 199 are gone, is
// verified from its checkpoint on; what is tampered with behind it is caught, and before it where the files say so.
import { landingKey } from "@sluice/shared/contract/lake-key.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { listLog } from "@sluice/cloud/lake/delta-listing.ts";
import { type Verified, verifyLake } from "@sluice/cloud/lake/verify.ts";
import { expect, test } from "vitest";
import { appendOf, commitKey, fileOf, TABLE } from "./delta-table.ts";
import { DAY_US, EPOCH } from "./rows.ts";

const COMMITS = 250;

async function cleanedUp(): Promise<MemoryStore> {
  const store = new MemoryStore();
  const log = new DeltaLog(store, TABLE, { retentionMs: 86_400_000 });
  const appId = `gw-1/${EPOCH}/readings`;
  for (let i = 0; i < COMMITS; i++) {
    const append = appendOf(appId, i - 1, i, i * 3_600_000);
    const add = {
      ...fileOf(String(i)),
      stats: JSON.stringify({ numRecords: 10, minValues: {}, maxValues: {}, nullCount: {} }),
    };
    const key = landingKey({ stream: "readings", gateway: "gw-1", epoch: EPOCH, from: i, to: i });
    await store.put(`${TABLE}${add.path}`, new Uint8Array(1));
    await log.append({
      ...append,
      actions: [{ txn: { appId, version: i } }, { add }],
      commitInfo: { ...append.commitInfo, sluice: { landed: [{ key, sha256: "0", rows: 10 }], lost: [] } },
    });
  }
  return store;
}

async function verify(store: MemoryStore): Promise<Verified["report"]> {
  const sql = async (): Promise<{ columns: []; rows: [] }> => ({ columns: [], rows: [] });
  return (await verifyLake({ store, sql, clock: new SimulatedClock(DAY_US), tell: () => undefined }, {}))
    .report;
}

test("a log that was cleaned up is proved from its checkpoint on", async () => {
  const store = await cleanedUp();
  const [first = 0] = (await listLog(store, `${TABLE}_delta_log/`)).commits;
  expect(first).toBeGreaterThan(0);
  const report = await verify(store);
  expect(report.state).toBe("complete");
  expect(report.findings).toMatchObject([{ kind: "cleaned_up", explained: true }]);
  expect(report.tables[0]).toMatchObject({
    rows: COMMITS * 10,
    landedRows: COMMITS * 10,
    commits: COMMITS - 1 - first,
  });
  expect(report.gateways).toMatchObject([{ gateway: "gw-1", state: "complete", through: COMMITS - 1 }]);
});

test("behind the checkpoint a commit that is gone is caught, and everywhere a file that is gone", async () => {
  const store = await cleanedUp();
  await store.delete(`${TABLE}${fileOf("7").path}`);
  expect((await verify(store)).findings[0]).toMatchObject({ kind: "file", explained: false, count: 10 });
  await store.delete(commitKey(COMMITS - 10));
  expect((await verify(store)).findings[0]).toMatchObject({ kind: "log", explained: false });
});
