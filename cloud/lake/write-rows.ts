import { createWriteStream } from "node:fs";
import { copyFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { quoteText } from "./views.ts";

/** Formats that rows are written in. */
export const OUT_FORMATS = ["csv", "parquet"] as const;
export type OutFormat = (typeof OUT_FORMATS)[number];

/** A file that somebody asked for; the path is absolute. */
export interface OutFile {
  readonly path: string;
  readonly format: OutFormat;
}

interface Place {
  readonly connection: DuckDBConnection;
  /** The folder that the engine may write to. */
  readonly workDir: string;
}

const OPTIONS: Readonly<Record<OutFormat, string>> = {
  csv: "FORMAT csv, HEADER true, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'",
  parquet: "FORMAT parquet, COMPRESSION zstd",
};

/** Writes the answer of a query; returns its rows. Throws PipelineError "config.out". */
export async function writeQuery(
  { connection, workDir }: Place,
  query: string,
  out: OutFile,
): Promise<number> {
  const written = join(workDir, `out.${out.format}`);
  const copied = await connection.runAndReadAll(
    `COPY (${query}) TO ${quoteText(written)} (${OPTIONS[out.format]})`,
  );
  await moveFile(written, out.path);
  return Number(copied.getRows()[0]?.[0]);
}

/** Writes lines of CSV, the first of which names the columns, in that format or as Parquet. Throws "config.out". */
export async function writeLines(
  { connection, workDir }: Place,
  lines: AsyncIterable<string>,
  out: OutFile,
): Promise<void> {
  const written = join(workDir, "lines.csv");
  await pipeline(lines, createWriteStream(written));
  if (out.format === "csv") await moveFile(written, out.path);
  else
    await writeQuery(
      { connection, workDir },
      // The whole file is looked at for the types: a feature may have no value in its first hours.
      `SELECT * FROM read_csv(${quoteText(written)}, header = true, sample_size = -1)`,
      out,
    );
}

/** Whether the file can be written, before hours are spent on what is to be in it. Throws PipelineError "config.out". */
export async function checkOut({ path }: Pick<OutFile, "path">): Promise<void> {
  const partial = partialOf(path);
  try {
    await writeFile(partial, "");
    await rm(partial);
  } catch (cause) {
    throw refused(path, cause);
  }
}

const partialOf = (path: string): string => `${path}.partial`;

const refused = (path: string, cause: unknown): PipelineError =>
  new PipelineError("config.out", `cannot write ${path}`, {
    cause,
    hint: "Name a file in a folder that is there and that this user may write.",
  });

/** Gives a file the path that somebody asked for, in place of what was there; it appears whole or not at all. */
export async function moveFile(from: string, to: string): Promise<void> {
  const partial = partialOf(to);
  try {
    // The two may be on different file systems, where renaming does not work.
    await copyFile(from, partial);
    await rename(partial, to);
    await rm(from);
  } catch (cause) {
    await rm(partial, { force: true });
    throw refused(to, cause);
  }
}
