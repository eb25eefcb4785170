import { statSync } from "node:fs";
import { assert } from "@sluice/shared/runtime/assert.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Statement } from "better-sqlite3";
import { groupChecksum } from "./message-group.ts";
import { openSqlite, type SqliteFile, sqliteError } from "./sqlite-file.ts";

/** One group of messages as stored: offsets [first, first + count). */
export interface StoredGroup {
  readonly first: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** When a group was written, by clocks that a wall clock's step cannot confuse. */
export interface GroupStamp {
  readonly bootId: string;
  readonly monotonicUs: number;
  readonly wallUs: number;
}

interface GroupRow {
  readonly first: number;
  readonly count: number;
  readonly checksum: number;
  readonly body: Buffer;
}

/** A segment: one SQLite file of groups. The first offset that it may hold is in its name. */
export class Segment {
  readonly path: string;
  readonly firstOffset: number;
  readonly #file: SqliteFile;
  readonly #insert: Statement;
  readonly #next: Statement;
  #bytes: number;

  constructor(path: string, firstOffset: number) {
    this.path = path;
    this.firstOffset = firstOffset;
    this.#file = openSqlite(path);
    try {
      this.#file.exec(`CREATE TABLE IF NOT EXISTS message_group (
        first INTEGER PRIMARY KEY, count INTEGER NOT NULL, checksum INTEGER NOT NULL,
        boot_id TEXT NOT NULL, monotonic_us INTEGER NOT NULL, wall_us INTEGER NOT NULL, body BLOB NOT NULL)`);
      this.#insert = this.#file.prepare("INSERT INTO message_group VALUES (?, ?, ?, ?, ?, ?, ?)");
      this.#next = this.#file.prepare(
        "SELECT first, count, checksum, body FROM message_group WHERE first + count > ? ORDER BY first LIMIT 1",
      );
      this.#bytes = Number(
        this.#file.prepare("SELECT coalesce(sum(length(body)), 0) FROM message_group").pluck().get(),
      );
    } catch (cause) {
      this.#file.close();
      throw sqliteError(cause, `cannot use ${path}`);
    }
  }

  /** Bytes of the messages in it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The offset after its last message; `firstOffset` of an empty segment. */
  get endOffset(): number {
    const end: unknown = this.#file.prepare("SELECT max(first + count) FROM message_group").pluck().get();
    return typeof end === "number" ? end : this.firstOffset;
  }

  /** Durable when it returns: one insert is one transaction is one fsync. */
  append(group: StoredGroup, stamp: GroupStamp): void {
    const { first, count, bytes } = group;
    try {
      const { bootId, monotonicUs, wallUs } = stamp;
      this.#insert.run(first, count, groupChecksum(bytes), bootId, monotonicUs, wallUs, bytes);
    } catch (cause) {
      throw sqliteError(cause, `cannot write to ${this.path}`);
    }
    this.#bytes += bytes.length;
  }

  /** The group that holds `offset`, or the next one after it. Throws "buffer.damaged" where its bytes are not whole. */
  groupAt(offset: number): StoredGroup | undefined {
    let row: GroupRow | undefined;
    try {
      row = this.#next.get(offset) as GroupRow | undefined;
    } catch (cause) {
      throw sqliteError(cause, `cannot read ${this.path}`);
    }
    if (row === undefined) return undefined;
    if (groupChecksum(row.body) !== row.checksum)
      throw new PipelineError("buffer.damaged", `${this.path}: the group at offset ${row.first} is damaged`);
    return { first: row.first, count: row.count, bytes: row.body };
  }

  /** Where the group that follows `offset` lies, without reading its bytes; undefined where there is none. */
  rangeAfter(
    offset: number,
  ): { readonly first: number; readonly count: number; readonly messages: undefined } | undefined {
    const row = this.#next.get(offset) as GroupRow | undefined;
    return row === undefined ? undefined : { first: row.first, count: row.count, messages: undefined };
  }

  /** Asks SQLite whether the file is whole; the names of what is not. */
  check(): readonly string[] {
    try {
      const rows = this.#file.pragma("quick_check") as { quick_check: string }[];
      return rows.map((row) => row.quick_check).filter((text) => text !== "ok");
    } catch (cause) {
      return [String(cause)];
    }
  }

  diskBytes(): number {
    const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return size(this.path) + size(`${this.path}-wal`);
  }

  close(): void {
    assert(!this.#file.inTransaction, "a segment is closed between transactions");
    this.#file.close();
  }
}
