import type { SqliteFile } from "./sqlite-file.ts";

/**
 * Whether the commits of a file are synced one by one, or with the next one that is.
 *
 * A commit that is synced makes all before it durable too, because they stand in front of it in the write-ahead log.
 */
export class SyncMode {
  readonly #file: SqliteFile;
  #isSynced = true;

  /** The file as `openSqlite` opened it: synced at every commit. */
  constructor(file: SqliteFile) {
    this.#file = file;
  }

  set(isSynced: boolean): void {
    if (isSynced === this.#isSynced) return;
    this.#file.pragma(`synchronous = ${isSynced ? "FULL" : "NORMAL"}`);
    this.#isSynced = isSynced;
  }
}
