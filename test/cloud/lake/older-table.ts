import { zstdCompressSync } from "node:zlib";
import { encodeArrow } from "@sluice/shared/codec/arrow-ipc.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { landingColumns } from "@sluice/shared/codec/landing-columns.ts";
import { type LandingRange, landingKey, tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import type { StreamRows } from "@sluice/shared/contract/rows.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { LANDING_COLUMNS } from "@sluice/shared/contract/table.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { fileColumns, schemaString } from "@sluice/cloud/lake/delta-schema.ts";
import { fileStats } from "@sluice/cloud/lake/delta-stats.ts";
import { constantColumn } from "@sluice/cloud/lake/gather.ts";
import { encodeParquet } from "@sluice/cloud/lake/parquet.ts";

/** Changes a schema as Delta writes it. */
export function changeSchema(
  schema: string,
  change: (fields: readonly Record<string, unknown>[]) => readonly object[],
): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a schema of ours
  const { fields } = JSON.parse(schema) as { fields: Record<string, unknown>[] };
  return JSON.stringify({ type: "struct", fields: change(fields) });
}

/** A stream without these columns, as a version before they came had it. */
export const withoutColumns = (stream: Stream, missing: readonly string[]): string =>
  changeSchema(schemaString(stream), (fields) =>
    fields.filter(({ name }) => !missing.includes(String(name))),
  );

/**
 * Makes a table as a version did that did not have these columns: one commit of one file, whose landing object is
 * there. All rows are of the day `day`.
 */
export async function commitOlder<S extends Stream>(
  store: ObjectStore,
  range: LandingRange & { readonly stream: S },
  older: {
    readonly missing: readonly string[];
    readonly rows: readonly StreamRows[S][];
    readonly day: string;
    readonly committedAtMs: number;
  },
): Promise<void> {
  const { stream, gateway, epoch, to } = range;
  const known = (name: string): boolean => !older.missing.includes(name);
  const landed = landingColumns(stream, older.rows);
  const body = zstdCompressSync(
    encodeArrow(
      LANDING_COLUMNS[stream].filter(({ name }) => known(name)),
      landed,
    ),
  );
  const key = landingKey(range);
  await store.put(key, body);
  const columns = fileColumns(stream).filter(({ name }) => known(name));
  const table = {
    count: landed.count,
    columns: {
      gateway: constantColumn(gateway, landed.count),
      epoch: constantColumn(epoch, landed.count),
      ...landed.columns,
    },
  };
  const file = encodeParquet(columns, table);
  const path = `date=${older.day}/part-${sha256Hex(file)}.parquet`;
  await store.put(`${tablePrefix(stream)}${path}`, file);
  const stats = JSON.stringify(fileStats(columns, table));
  await new DeltaLog(store, tablePrefix(stream)).append({
    actions: [
      { txn: { appId: `${gateway}/${epoch}/${stream}`, version: to } },
      {
        add: {
          path,
          partitionValues: { date: older.day },
          size: file.byteLength,
          modificationTime: older.committedAtMs,
          dataChange: true,
          stats,
        },
      },
    ],
    commitInfo: {
      timestamp: older.committedAtMs,
      txnId: newUuid(),
      sluice: { landed: [{ key, sha256: sha256Hex(body), rows: landed.count }], lost: [] },
    },
    metaData: {
      id: newUuid(),
      format: { provider: "parquet", options: {} },
      schemaString: withoutColumns(stream, older.missing),
      partitionColumns: ["date"],
      configuration: {},
    },
    expected: new Map(),
    checkSchema: () => undefined,
  });
}
