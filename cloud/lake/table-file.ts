import type { ColumnTable } from "@sluice/shared/codec/columns.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { fileColumns } from "./delta-schema.ts";
import { fileStats } from "./delta-stats.ts";
import { encodeParquet } from "./parquet.ts";

/** A file of a table, and what the log is to say of it. */
export interface TableFile {
  readonly body: Uint8Array;
  readonly sha256: string;
  /** JSON. */
  readonly stats: string;
}

/** Encodes rows of a stream. Pure: the same rows give the same file. */
export function encodeTableFile(stream: Stream, table: ColumnTable): TableFile {
  const columns = fileColumns(stream);
  const body = encodeParquet(columns, table);
  return { body, sha256: sha256Hex(body), stats: JSON.stringify(fileStats(columns, table)) };
}

/** What the thread is asked; `id` finds the answer's asker. */
export interface TableFileRequest {
  readonly id: number;
  readonly stream: Stream;
  readonly table: ColumnTable;
}

export type TableFileAnswer =
  { readonly id: number; readonly file: TableFile } | { readonly id: number; readonly error: Error };
