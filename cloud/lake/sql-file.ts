import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { requireReadOnly, runReadOnly } from "./sql.ts";
import { arrowOf } from "./sql-arrow.ts";
import { type Watch, watched } from "./sql-watch.ts";
import { moveFile, type OutFile, writeQuery } from "./write-rows.ts";

/** Formats of files that answers are written to. */
export const FILE_FORMATS = ["csv", "parquet", "arrow"] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

export interface AnswerFile {
  /** Absolute. */
  readonly path: string;
  readonly format: FileFormat;
}

interface Place {
  readonly connection: DuckDBConnection;
  /** The folder that the engine may write to. */
  readonly workDir: string;
  /** Most rows of an answer that is made in memory, which Arrow is. */
  readonly rowsMax: number;
}

/**
 * Writes the answer to a query that only reads into a file, which appears whole or not at all; returns its rows.
 *
 * Throws PipelineError "sql.invalid", "sql.too_large", "config.out", and the reason of the watch's signal.
 */
export async function writeAnswer(
  { connection, workDir, rowsMax }: Place,
  query: string,
  { path, format, ...watch }: AnswerFile & Watch,
): Promise<number> {
  if (format === "arrow") {
    const { rows, body } = await runReadOnly(connection, query, watch, (result) => arrowOf(result, rowsMax));
    const written = join(workDir, "out.arrow");
    await writeFile(written, body);
    await moveFile(written, path);
    return rows;
  }
  // What is copied to a file is looked at first: the copy itself is no query that only reads.
  await requireReadOnly(connection, query);
  const out: OutFile = { path, format };
  // A remark at the end of a line must not hide what follows, and a semicolon would end it.
  const inner = `${query.trim().replace(/(\s*;)+$/, "")}\n`;
  return watched(connection, watch, async () => {
    try {
      return await writeQuery({ connection, workDir }, inner, out);
    } catch (error) {
      if (error instanceof PipelineError || !(error instanceof Error)) throw error;
      throw new PipelineError("sql.invalid", error.message, { cause: error });
    }
  });
}
