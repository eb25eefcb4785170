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

export function diskBytesOf(path: string): number {
  const size = (name: string): number => statSync(name, { throwIfNoEntry: false })?.size ?? 0;
  return size(path) + size(`${path}-wal`);
}

/** Gives up to so many bytes of free pages back to the file system; returns whether it could. */
export function shrink(file: SqliteFile, bytesMax: number): boolean {
  if (file.pragma("auto_vacuum", { simple: true }) !== INCREMENTAL) return false;
  const pages = Math.floor(bytesMax / Number(file.pragma("page_size", { simple: true })));
  if (pages === 0) return false;
  file.pragma(`incremental_vacuum(${pages})`);
  file.pragma("wal_checkpoint(PASSIVE)"); // The file is cut when the write-ahead log is folded in.
  return true;
}

/** Bytes of the files in a folder that were set aside as damaged, or saved from such: nobody deletes them, so they count. */
export function asideBytes(dir: string): number {
  const names = readdirSync(dir).filter((name) => ASIDE.test(name));
  const sizes = names.map((name) => statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size, 0);
}
