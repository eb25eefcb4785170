import type { Readable } from "node:stream";
import { parse } from "csv-parse";
import type { TableRows } from "./table-rows.ts";

/** Longest line: far above what a table of sensors has, far below what hurts. */
const LINE_BYTES_MAX = 1_048_576;

/** Comma-separated values (RFC 4180) with the names of the columns in the first line. Values are text. */
export async function readCsvRows(file: Readable, delimiter: string): Promise<TableRows> {
  const parser = file.pipe(
    parse({
      delimiter,
      bom: true,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: LINE_BYTES_MAX,
    }),
  );
  file.on("error", (error) => parser.destroy(error));
  const lines = parser[Symbol.asyncIterator]() as AsyncIterator<readonly string[], undefined>;
  const first = await lines.next();
  if (first.done === true) throw new Error("it has no first line with the names of the columns");
  return {
    columns: first.value.map((name) => name.trim()),
    rows: { [Symbol.asyncIterator]: () => lines },
  };
}
