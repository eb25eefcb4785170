import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { assert, present } from "@sluice/shared/runtime/assert.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import Database from "better-sqlite3";

export type SqliteFile = Database.Database;

/** SQLite's number for synchronous=FULL. */
const FULL = 2;

/** SQLite folds its log into the file at about this size; one that has grown beyond it gives the room back. */
const LOG_BYTES_KEPT = 4_194_304;

/**
 * Opens a database whose commits survive a power cut: write-ahead log, synced at every commit.
 *
 * SQLite is built to reopen an existing write-ahead log at synchronous=NORMAL, which loses the last commits on a power
 * cut: FULL is set and asserted at every open. The folder is synced, so that a new file's name survives too.
 */
export function openSqlite(path: string): SqliteFile {
  let file: SqliteFile | undefined;
  try {
    file = new Database(path);
    file.pragma("journal_mode = WAL");
    file.pragma("synchronous = FULL");
    file.pragma("fullfsync = ON");
    file.pragma("busy_timeout = 5000");
    file.pragma(`journal_size_limit = ${LOG_BYTES_KEPT}`);
    syncFolder(dirname(path));
  } catch (cause) {
    file?.close();
    throw sqliteError(cause, `cannot open ${path}`);
  }
  assert(file.pragma("synchronous", { simple: true }) === FULL, `${path} is synced at every commit`);
  assert(file.pragma("journal_mode", { simple: true }) === "wal", `${path} has a write-ahead log`);
  return file;
}

/**
 * Folds the write-ahead log that a crash has left into the file, and gives its room back.
 *
 * It makes what is read from the log durable too: where a sync has failed before, Linux may show bytes in it that are in
 * memory alone and that no later sync of the log would write. On a full disk, or where somebody reads the file at this
 * moment, the log stays for later.
 */
export function foldLog(file: SqliteFile): void {
  try {
    file.pragma("wal_checkpoint(TRUNCATE)");
  } catch (cause) {
    const error = sqliteError(cause, `cannot write to ${file.name}`);
    if (error.code !== "buffer.disk_full") throw error;
  }
}

/**
 * Holds a read transaction on a file that may be written to at this moment; returns what ends it. Where SQLite cannot
 * read the file there is nothing to hold. Needs the log's index (`-shm`) to be there, so that no file is made.
 */
export function holdSnapshot(path: string): () => void {
  let file: SqliteFile | undefined;
  try {
    file = new Database(path, { readonly: true, fileMustExist: true, timeout: 1_000 });
    file.exec("BEGIN");
    file.prepare("SELECT count(*) FROM sqlite_schema").get(); // A transaction begins with its first read.
    const held = file;
    return () => held.close();
  } catch {
    file?.close();
    return () => undefined;
  }
}

/** Makes a folder and the folders above it, durably. Throws PipelineError "buffer.unwritable", "buffer.disk_full". */
export function makeFolder(dir: string): void {
  try {
    const first = mkdirSync(dir, { recursive: true });
    if (first === undefined) return;
    // A new name is safe only when the folder that it stands in is synced.
    for (let made = resolve(dir); ; made = dirname(made)) {
      syncFolder(dirname(made));
      if (made === resolve(first)) return;
    }
  } catch (cause) {
    throw sqliteError(cause, `cannot make the folder ${dir}`);
  }
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

/** How SQLite and the file system name what happened; matched at the start. */
const DAMAGED = [
  "SQLITE_CORRUPT",
  "SQLITE_NOTADB",
  "SQLITE_IOERR_READ",
  "SQLITE_IOERR_SHORT_READ",
  // Our own statements are right: a table that they do not fit is not as we made it.
  "SQLITE_ERROR",
  "SQLITE_SCHEMA",
  "SQLITE_CONSTRAINT",
  "SQLITE_MISMATCH",
];
const FULL_DISK = ["SQLITE_FULL", "ENOSPC", "EDQUOT"];
const READ_ONLY = ["SQLITE_READONLY", "EROFS"];
/** After those of damage: what is left of SQLITE_IOERR is about writing. */
const FAILING_DISK = ["SQLITE_IOERR", "EIO", "ENXIO", "ENODEV", "ESTALE", "ETIMEDOUT"];
const NO_RIGHT = ["SQLITE_CANTOPEN", "SQLITE_PERM", "EACCES", "EPERM", "ENOTDIR", "EEXIST"];

/**
 * Failures of SQLite and of the file system as ours: full disk, damage (a sector that cannot be read too), a disk that
 * cannot be written to, no rights.
 */
export function sqliteError(cause: unknown, what: string): PipelineError {
  if (cause instanceof PipelineError) return cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const isOneOf = (codes: readonly string[]): boolean => codes.some((start) => code.startsWith(start));
  if (isOneOf(FULL_DISK))
    return new PipelineError("buffer.disk_full", `${what}: the disk is full`, {
      cause,
      hint: "Make room on the disk; publishers send again by themselves, nothing acknowledged is lost.",
    });
  if (isOneOf(DAMAGED)) return new PipelineError("buffer.damaged", `${what}: the file is damaged`, { cause });
  if (isOneOf(READ_ONLY))
    return new PipelineError("buffer.unwritable", `${what}: the disk is read-only`, {
      cause,
      hint: "A disk that fails is made read-only by the system: look at its log, then mount it for writing.",
    });
  if (isOneOf(FAILING_DISK))
    return new PipelineError("buffer.disk_failing", `${what}: the disk answers with an I/O error`, {
      cause,
      hint: "Look at the system's log and at the disk; nothing acknowledged is lost as long as it can be read.",
    });
  if (isOneOf(["ENOENT"]))
    return new PipelineError("buffer.disk_failing", `${what}: a file or folder is not there`, {
      cause,
      hint: "See whether its disk is mounted.",
    });
  if (isOneOf(NO_RIGHT))
    return new PipelineError("buffer.unwritable", `${what}: no right to write`, {
      cause,
      hint: "Give the gateway's user the right to write in buffer.dir.",
    });
  return new PipelineError("buffer.failed", what, { cause });
}

/** Renames a damaged database, so that nobody writes to it and what is left in it can still be saved; the new path. */
export function setAside(path: string): string {
  const isFree = (name: string): boolean => !existsSync(name) && !existsSync(`${name}-wal`);
  const target = present(asideNames(path).find(isFree), "there are names without end");
  try {
    // The database first: without its log it would look whole, and older than it is.
    for (const suffix of ["", "-wal", "-shm"])
      if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
    syncFolder(dirname(path));
  } catch (cause) {
    throw sqliteError(cause, `cannot set ${path} aside`);
  }
  return target;
}

/**
 * Ends what `setAside` began: after a crash the write-ahead log may still lie where its database was, and would be taken
 * for that of the next database in this place.
 */
export function finishSettingAside(dir: string): void {
  const logs = readdirSync(dir).flatMap((name) => {
    const path = join(dir, name.replace(/-wal$/, ""));
    return name.endsWith(".db-wal") && !existsSync(path) ? [path] : [];
  });
  try {
    for (const path of logs) {
      let last: string | undefined;
      for (const name of asideNames(path)) {
        if (!existsSync(name)) break;
        last = name;
      }
      if (last === undefined || existsSync(`${last}-wal`)) setAside(path);
      else renameSync(`${path}-wal`, `${last}-wal`);
      rmSync(`${path}-shm`, { force: true }); // An index of the log, which whoever reads it makes anew.
    }
    if (logs.length > 0) syncFolder(dir);
  } catch (cause) {
    throw sqliteError(cause, `cannot set logs in ${dir} aside`);
  }
}

/** The names under which a file is set aside, the first time and later. */
function* asideNames(path: string): Generator<string> {
  yield `${path}.damaged`;
  for (let n = 2; ; n++) yield `${path}.damaged-${n}`;
}
