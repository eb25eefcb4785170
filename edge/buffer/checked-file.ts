import { existsSync } from "node:fs";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { foldLog, openSqlite, setAside, type SqliteFile, sqliteError } from "./sqlite-file.ts";

/** Opens a file, or sets it aside when it is damaged and opens a new one in its place. */
export function openOrReplace<T>(log: Log, path: string, open: (path: string) => T): T {
  try {
    return open(path);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== "buffer.damaged" || !existsSync(path))
      throw error;
    log.error(
      { file: setAside(path) },
      `the gateway's state is damaged, it begins anew from what the lake has: ${describeError(error)}`,
    );
    return open(path);
  }
}

/** Opens or makes a file that SQLite says is whole. Throws PipelineError "buffer.damaged" where it is not. */
export function openChecked(path: string): SqliteFile {
  const file = openSqlite(path);
  try {
    const problems = (file.pragma("quick_check") as { quick_check: string }[]).filter(
      (row) => row.quick_check !== "ok",
    );
    if (problems[0] !== undefined)
      throw new PipelineError("buffer.damaged", `${path}: ${problems[0].quick_check}`);
    foldLog(file);
    return file;
  } catch (cause) {
    file.close();
    throw sqliteError(cause, `cannot use ${path}`);
  }
}
