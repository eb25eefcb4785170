import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { assert } from "@sluice/shared/runtime/assert.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import Database from "better-sqlite3";

export type SqliteFile = Database.Database;

/** SQLite's number for synchronous=FULL. */
const FULL = 2;

/**
 * Opens a database whose commits survive a power cut: write-ahead log, synced at every commit.
 *
 * SQLite is built to reopen an existing write-ahead log at synchronous=NORMAL, which loses the last commits on a power
 * cut: FULL is set and asserted at every open. The folder is synced, so that a new file's name survives too.
 */
export function openSqlite(path: string): SqliteFile {
  let file: SqliteFile;
  try {
    file = new Database(path);
    file.pragma("journal_mode = WAL");
    file.pragma("synchronous = FULL");
    file.pragma("fullfsync = ON");
    file.pragma("busy_timeout = 5000");
  } catch (cause) {
    throw sqliteError(cause, `cannot open ${path}`);
  }
  assert(file.pragma("synchronous", { simple: true }) === FULL, `${path} is synced at every commit`);
  syncFolder(dirname(path));
  return file;
}

/** Makes created, renamed and removed names in a folder durable. */
export function syncFolder(dir: string): void {
  const handle = openSync(dir, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** SQLite's failures as ours: full disk, damage, no rights. */
export function sqliteError(cause: unknown, what: string): PipelineError {
  const code = cause instanceof Database.SqliteError ? cause.code : "";
  if (
    code.startsWith("SQLITE_FULL") ||
    (code.startsWith("SQLITE_IOERR") && /full|space/i.test(String(cause)))
  )
    return new PipelineError("buffer.disk_full", `${what}: the disk is full`, {
      cause,
      hint: "Make room on the disk; publishers send again by themselves, nothing acknowledged is lost.",
    });
  if (code.startsWith("SQLITE_CORRUPT") || code.startsWith("SQLITE_NOTADB"))
    return new PipelineError("buffer.damaged", `${what}: the file is damaged`, { cause });
  if (
    code.startsWith("SQLITE_CANTOPEN") ||
    code.startsWith("SQLITE_READONLY") ||
    code.startsWith("SQLITE_PERM")
  )
    return new PipelineError("buffer.unwritable", `${what}: no right to write`, {
      cause,
      hint: "Give the gateway's user the right to write in buffer.dir.",
    });
  return new PipelineError("buffer.failed", what, { cause });
}
