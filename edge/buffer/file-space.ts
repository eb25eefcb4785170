import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { SqliteFile } from "./sqlite-file.ts";

/** What a database takes on disk, the write-ahead log included, and how much of it is free pages. */
export interface FileSpace {
  readonly diskBytes: number;
  readonly freeBytes: number;
}

/** SQLite's number for auto_vacuum=INCREMENTAL. */
const INCREMENTAL = 2;

/** How the name of a file that was set aside goes on, and of what somebody has saved from it. */
const ASIDE = /\.(damaged(-\d+)?|repaired)(-wal|-shm)?$/;

/** Lets a new database give pages back later; in one that has tables already, free pages are only used again. */
export function letShrink(file: SqliteFile): void {
  const tables = Number(file.prepare("SELECT count(*) FROM sqlite_schema").pluck().get());
  if (tables > 0) return;
  file.pragma("auto_vacuum = INCREMENTAL");
  file.exec("VACUUM"); // The setting is taken over when the file is written anew, and it is empty.
}

export function spaceOf(file: SqliteFile): FileSpace {
  const number = (pragma: string): number => Number(file.pragma(pragma, { simple: true }));
  return {
    diskBytes: diskBytesOf(file.name),
    freeBytes: number("freelist_count") * number("page_size"),
  };
}

export const diskBytesOf = (path: string): number => sizeOf(path) + sizeOf(`${path}-wal`);

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Gives the write-ahead log and up to so many bytes of free pages back to the file system; returns whether it could. */
export function shrink(file: SqliteFile, bytesMax: number): boolean {
  const pages = Math.floor(bytesMax / Number(file.pragma("page_size", { simple: true })));
  const isShrinking = pages > 0 && file.pragma("auto_vacuum", { simple: true }) === INCREMENTAL;
  if (isShrinking) {
    file.pragma(`incremental_vacuum(${pages})`);
    file.pragma("wal_checkpoint(PASSIVE)"); // The file is cut when the write-ahead log is folded in.
  }
  return foldLog(file) || isShrinking;
}

/** A write-ahead log of less is not worth the work: SQLite folds it at 4 MiB by itself, and keeps the file at its longest. */
const LOG_BYTES_MIN = 1_048_576;

/**
 * Folds the write-ahead log into its file and cuts it to nothing, where it is of any size and nobody is reading; returns
 * whether it did.
 */
export function foldLog(file: SqliteFile): boolean {
  if (sizeOf(`${file.name}-wal`) < LOG_BYTES_MIN) return false;
  const waitMs = Number(file.pragma("busy_timeout", { simple: true }));
  file.pragma("busy_timeout = 0"); // Who reads, a tool for one, may go on for minutes.
  try {
    return file.pragma("wal_checkpoint(TRUNCATE)", { simple: true }) === 0;
  } finally {
    file.pragma(`busy_timeout = ${waitMs}`);
  }
}

/** Bytes of the files in a folder that were set aside as damaged, or saved from such: nobody deletes them, so they count. */
export function asideBytes(dir: string): number {
  const names = readdirSync(dir).filter((name) => ASIDE.test(name));
  const sizes = names.map((name) => sizeOf(join(dir, name)));
  return sizes.reduce((sum, size) => sum + size, 0);
}
