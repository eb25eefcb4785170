import { existsSync } from "node:fs";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { diskBytesOf } from "./file-space.ts";
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

/**
 * Files up to here are read through at each start; a card that reads 20 MB/s takes three seconds for it. A backlog of
 * gigabytes would keep devices waiting for minutes.
 */
const READ_THROUGH_BYTES_MAX = 67_108_864;

/** Tables whose rows end with a body, which is checked when it is read: by its checksum, SHA-256 or encryption. */
const TABLES_OF_BODIES: ReadonlySet<string> = new Set(["outbox", "pending", "message"]);

/**
 * Opens or makes a file that SQLite says is whole. Throws PipelineError "buffer.damaged" where it is not.
 *
 * Of a large file the bodies are left out: they are by far most of it, and prove themselves when they are read. That no
 * row of theirs is missing is seen all the same, by the indexes, which know each row too.
 */
export function openChecked(path: string): SqliteFile {
  const file = openSqlite(path);
  try {
    const problem = diskBytesOf(path) > READ_THROUGH_BYTES_MAX ? rowProblem(file) : quickCheck(file, "");
    if (problem !== undefined) throw new PipelineError("buffer.damaged", `${path}: ${problem}`);
    foldLog(file);
    return file;
  } catch (cause) {
    file.close();
    throw sqliteError(cause, `cannot use ${path}`);
  }
}

/** The first thing that is wrong with the tables of a file, bodies left out; undefined where nothing is. */
function rowProblem(file: SqliteFile): string | undefined {
  const tables = file
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .pluck()
    .all()
    .map(String);
  for (const table of tables) {
    const problem = TABLES_OF_BODIES.has(table)
      ? countProblem(file, table)
      : quickCheck(file, `('${table}')`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function quickCheck(file: SqliteFile, of: string): string | undefined {
  const rows = file.pragma(`quick_check${of}`) as { quick_check: string }[];
  return rows.map(({ quick_check }) => quick_check).find((text) => text !== "ok");
}

/** Whether a table and its indexes know the same number of rows. */
function countProblem(file: SqliteFile, table: string): string | undefined {
  const count = (how: string): number =>
    Number(file.prepare(`SELECT count(*) FROM ${table} ${how}`).pluck().get());
  const rows = count("NOT INDEXED");
  const indexes = (file.pragma(`index_list('${table}')`) as { name: string }[]).map(({ name }) => name);
  const other = indexes.find((index) => count(`INDEXED BY "${index}"`) !== rows);
  return other === undefined ? undefined : `the table ${table} has ${rows} rows, its index ${other} has not`;
}
