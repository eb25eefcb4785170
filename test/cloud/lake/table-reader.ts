import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { type Log, silentLog } from "@sluice/shared/runtime/log.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { Committer } from "@sluice/cloud/lake/committer.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { readParquet } from "parquet-wasm";
import { tableFromIPC } from "apache-arrow";
import { DAY_US } from "./rows.ts";

/** A reader of tables that shares nothing with ours but the Parquet and Arrow libraries. */
export async function readTable(
  store: ObjectStore,
  stream: Stream,
): Promise<readonly Record<string, unknown>[]> {
  const files = new Map<string, Record<string, string>>();
  for await (const { key } of store.list(`${tablePrefix(stream)}_delta_log/`)) {
    const commit = await store.get(key);
    if (commit.state !== "found") continue;
    for (const line of new TextDecoder().decode(commit.object.body).trim().split("\n")) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is no such line fails the test
      const { add } = JSON.parse(line) as { add?: { path: string; partitionValues: Record<string, string> } };
      if (add !== undefined) files.set(add.path, add.partitionValues);
    }
  }
  const rows: Record<string, unknown>[] = [];
  for (const [path, partition] of files) {
    const file = await store.get(`${tablePrefix(stream)}${path}`);
    if (file.state !== "found") throw new Error(`${path} is in the log and not in the lake`);
    const table = tableFromIPC(readParquet(file.object.body).intoIPCStream());
    for (const row of table) rows.push({ ...row.toJSON(), ...partition });
  }
  return rows;
}

/** The identities of the readings in the table, sorted: gateway, offset and index. */
export async function readingIds(store: ObjectStore): Promise<readonly string[]> {
  const rows = await readTable(store, "readings");
  return rows
    .map(
      (row) => `${String(row["gateway"])} ${String(row["offset"]).padStart(6, "0")}.${String(row["index"])}`,
    )
    .sort();
}

/** What `readingIds` must be for messages `from` to `to` of `readingBlock`. */
export const idsOf = (gateway: string, from: number, to: number): readonly string[] =>
  Array.from(
    { length: (to - from + 1) * 2 },
    (_, i) => `${gateway} ${String(from + (i >> 1)).padStart(6, "0")}.${i & 1}`,
  );

export interface CommitterChange {
  readonly commitBytesMax?: number;
  readonly heldBytesMax?: number;
  readonly landingGraceMs?: number;
  readonly clock?: SimulatedClock;
  readonly log?: Log;
}

/** A committer as a fresh process would have it. */
export function freshCommitter(store: ObjectStore, change: CommitterChange = {}): Committer {
  const logOf = (stream: Stream): DeltaLog => new DeltaLog(store, tablePrefix(stream));
  const logs = {
    readings: logOf("readings"),
    features: logOf("features"),
    predictions: logOf("predictions"),
    labels: logOf("labels"),
    quarantine: logOf("quarantine"),
    events: logOf("events"),
  };
  return new Committer({
    store,
    logs,
    commitBytesMax: 8_388_608,
    landingGraceMs: 3_600_000,
    clock: new SimulatedClock(DAY_US + 86_400_000_000),
    log: silentLog,
    ...change,
  });
}
