import { open } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { extname } from "node:path";
import { readArrowRows } from "@sluice/shared/codec/arrow-rows.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { readCsvRows } from "./csv-rows.ts";
import { readParquetRows } from "./parquet-rows.ts";
import type { TableRows } from "./table-rows.ts";

const FORMATS: Readonly<Record<string, "csv" | "parquet" | "arrow">> = {
  ".csv": "csv",
  ".tsv": "csv",
  ".txt": "csv",
  ".parquet": "parquet",
  ".arrow": "arrow",
  ".arrows": "arrow",
  ".feather": "arrow",
  ".ipc": "arrow",
};

/**
 * Opens a file by the ending of its name. Times come as Instant, whole numbers as numbers.
 *
 * Throws PipelineError "import.unreadable" where there is no such file or it is not of its format.
 */
export async function openTable(path: string, options: { readonly delimiter: string }): Promise<TableRows> {
  const format = FORMATS[extname(path).toLowerCase()];
  if (format === undefined)
    throw new PipelineError("import.unreadable", `${path} is of no known format`, {
      hint: `Give a file that ends in ${Object.keys(FORMATS).join(", ")}.`,
    });
  try {
    await (await open(path)).close();
    if (format === "csv") return await readCsvRows(createReadStream(path), options.delimiter);
    return format === "arrow" ? await readArrowRows(createReadStream(path)) : await readParquetRows(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

export const unreadable = (path: string, cause: unknown): PipelineError =>
  new PipelineError("import.unreadable", `cannot read ${path}`, {
    cause,
    hint: "Check that the file is there, may be read and is whole.",
  });
