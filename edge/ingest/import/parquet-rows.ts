import { type FileHandle, open } from "node:fs/promises";
import { Instant } from "@sluice/shared/contract/instant.ts";
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import type { TableRows } from "./table-rows.ts";

/** Rows that are read at once; a row group may be larger than memory likes. */
const ROWS_AT_ONCE = 10_000;

const instant = (value: bigint, perUs: bigint, usPer: bigint): Instant => {
  const us = Number((value * usPer) / perUs);
  return new Instant(Number.isSafeInteger(us) ? us : NaN);
};

/** Times with all of their digits: the library's own would be cut to milliseconds. */
const parsers = {
  timestampFromMilliseconds: (value: bigint) => instant(value, 1n, 1_000n),
  timestampFromMicroseconds: (value: bigint) => instant(value, 1n, 1n),
  timestampFromNanoseconds: (value: bigint) => instant(value, 1_000n, 1n),
  dateFromDays: (days: number) => new Instant(days * 86_400_000_000),
};

/** A Parquet file, a slice of its rows at a time. */
export async function readParquetRows(path: string): Promise<TableRows> {
  const handle = await open(path);
  try {
    const file = { byteLength: (await handle.stat()).size, slice: reader(handle) };
    const metadata = await parquetMetadataAsync(file);
    const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
    const count = Number(metadata.num_rows);
    return { columns, rows: rowsOf() };

    async function* rowsOf(): AsyncGenerator<readonly unknown[]> {
      try {
        for (let rowStart = 0; rowStart < count; rowStart += ROWS_AT_ONCE) {
          const rowEnd = Math.min(count, rowStart + ROWS_AT_ONCE);
          const objects = await parquetReadObjects({
            file,
            metadata,
            rowStart,
            rowEnd,
            compressors,
            parsers,
          });
          for (const object of objects) yield columns.map((name) => plain(object[name]));
        }
      } finally {
        await handle.close();
      }
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function reader(handle: FileHandle) {
  return async (start: number, end = Infinity): Promise<ArrayBuffer> => {
    const { size } = await handle.stat();
    const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
      if (bytesRead === 0) throw new Error("the file became shorter while it was read");
      filled += bytesRead;
    }
    return bytes.buffer;
  };
}

const plain = (value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);
