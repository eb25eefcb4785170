import { accessSync, constants } from "node:fs";
import { dirname, join } from "node:path";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import Database from "better-sqlite3";
import { makeFolder, sqliteError } from "./sqlite-file.ts";

/** There as long as the buffer is. */
export const LOCK_FILE = "lock.db";

/**
 * Takes the buffer for this process; returns what gives it back.
 *
 * The lock is SQLite's own on a file beside the buffer, so the kernel releases it however the process ends. Throws
 * PipelineError "buffer.locked" where another gateway has it, "buffer.unwritable" where the folder cannot be used.
 */
export function lockBuffer(dir: string): () => void {
  makeFolder(dir);
  const unlock = lockFile(join(dir, LOCK_FILE), 0);
  if (unlock !== undefined) return unlock;
  throw new PipelineError("buffer.locked", `the buffer in ${dir} is in use by another gateway`, {
    hint: "Stop the other gateway, or give this one its own buffer.dir.",
  });
}

/**
 * Takes a file that is there for nothing else, and is made where there is none; returns what gives it back, or undefined
 * where another process still has it after the wait. Throws PipelineError "buffer.unwritable".
 */
export function lockFile(path: string, waitMs: number): (() => void) | undefined {
  let file: Database.Database | undefined;
  try {
    // SQLite opens what it may only read without a word, and takes its locks there too.
    accessSync(dirname(path), constants.W_OK);
    file = new Database(path, { timeout: waitMs });
    file.pragma("journal_mode = DELETE");
    file.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    file?.close();
    if (cause instanceof Database.SqliteError && cause.code.startsWith("SQLITE_BUSY")) return undefined;
    throw sqliteError(cause, `cannot lock ${path}`);
  }
  const held = file;
  return () => held.close();
}
