import { newUuid } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { AddFile } from "@sluice/cloud/lake/delta-action.ts";
import type { Append } from "@sluice/cloud/lake/delta-conflict.ts";
import { checkSchema, schemaString } from "@sluice/cloud/lake/delta-schema.ts";

/** A table's folder, and what its log's objects are called. */
export const TABLE = "tables/readings/";
export const commitKey = (version: number): string =>
  `${TABLE}_delta_log/${String(version).padStart(20, "0")}.json`;

export const readingsSchema = schemaString("readings");

export const fileOf = (name: string): AddFile => ({
  path: `date=2026-11-21/part-${name}.parquet`,
  partitionValues: { date: "2026-11-21" },
  size: 1,
  modificationTime: 5,
  dataChange: true,
});

/** An append of one file, which moves an application's transaction on. */
export const appendOf = (appId: string, from: number, to: number, timestamp = 5): Append => ({
  actions: [{ txn: { appId, version: to, lastUpdated: 5 } }, { add: fileOf(`${appId}-${to}`) }],
  commitInfo: { timestamp, txnId: newUuid() },
  metaData: { id: "x", schemaString: readingsSchema, partitionColumns: ["date"] },
  expected: new Map([[appId, from]]),
  checkSchema: (existing) => checkSchema("readings", existing),
});

/** Puts a commit as another program might: a text as it is, everything else as JSON. */
export const putCommit = (
  store: ObjectStore,
  version: number,
  ...lines: readonly unknown[]
): Promise<unknown> =>
  store.put(
    commitKey(version),
    new TextEncoder().encode(
      lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"),
    ),
  );
