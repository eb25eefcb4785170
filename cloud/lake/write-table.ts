import type { ColumnTable } from "@sluice/shared/codec/columns.ts";
import { type LandingRange, tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { concurrently } from "./concurrently.ts";
import type { AddFile } from "./delta-action.ts";
import { dateColumn, fileColumns, PARTITION_COLUMN } from "./delta-schema.ts";
import { constantColumn, gather, type Part } from "./gather.ts";
import { rowsByDay } from "./partition.ts";
import { tableFileThread } from "./table-file-thread.ts";

/** Files that are put at once. */
const PUTS_MAX = 8;

/** The rows of one landing object. */
export interface LandedTable {
  readonly range: LandingRange;
  readonly table: ColumnTable;
}

/**
 * Writes rows as Parquet files, one per day, and returns what the log is to say of them.
 *
 * The files' names follow from their bytes: a file that no commit names is an orphan and never a second copy of rows.
 */
export async function writeTableFiles(
  store: ObjectStore,
  stream: Stream,
  landed: readonly LandedTable[],
  nowMs: number,
): Promise<readonly AddFile[]> {
  const columns = fileColumns(stream);
  const days = [...partsByDay(stream, landed)].sort(([a], [b]) => (a < b ? -1 : 1));
  const added: AddFile[] = [];
  const put = async ([day, parts]: readonly [string, readonly Part[]]): Promise<AddFile> => {
    const { body, sha256, stats } = await tableFileThread.encode(stream, gather(columns, parts));
    const path = `${PARTITION_COLUMN}=${day}/part-${sha256}.parquet`;
    await store.put(`${tablePrefix(stream)}${path}`, body, { ifAbsent: true });
    return {
      path,
      partitionValues: { [PARTITION_COLUMN]: day },
      size: body.byteLength,
      modificationTime: nowMs,
      dataChange: true,
      stats,
    };
  };
  for await (const [, add] of concurrently(days, PUTS_MAX, put)) added.push(add);
  return added;
}

function partsByDay(stream: Stream, landed: readonly LandedTable[]): ReadonlyMap<string, readonly Part[]> {
  const days = new Map<string, Part[]>();
  for (const { range, table } of landed) {
    const columns = {
      gateway: constantColumn(range.gateway, table.count),
      epoch: constantColumn(range.epoch, table.count),
      ...table.columns,
    };
    for (const [day, rows] of rowsByDay(table, dateColumn(stream))) {
      const part = { table: { count: table.count, columns }, rows };
      const parts = days.get(day);
      if (parts === undefined) days.set(day, [part]);
      else parts.push(part);
    }
  }
  return days;
}
