import { closeSync, openSync, readSync, statSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { GroupStamp, IncomingMessage } from "@sluice/shared/contract/message.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Statement } from "better-sqlite3";
import { Bodies } from "./body.ts";
import { decodeGroup } from "./message-group.ts";
import { foldLog, openSqlite, type SqliteFile, sqliteError } from "./sqlite-file.ts";

/** A group of messages to be stored: offsets [first, first + count). */
export interface StoredGroup {
  readonly first: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** What a group holds, and when it was written. */
export interface StampedMessages {
  readonly messages: readonly IncomingMessage[];
  readonly stamp: GroupStamp;
}

/** Where a group lies: offsets [first, first + count). */
export interface GroupRange {
  readonly first: number;
  readonly count: number;
}

/** A group's row as it is stored. */
export interface GroupRow extends GroupRange {
  readonly checksum: number;
  readonly boot_id: string;
  readonly monotonic_us: number;
  readonly wall_us: number;
  readonly body: Uint8Array;
}

interface Handle {
  readonly file: SqliteFile;
  readonly insert: Statement;
  readonly find: Statement;
  readonly row: Statement;
}

export const SEGMENT_SCHEMA = `CREATE TABLE IF NOT EXISTS message_group (
  first INTEGER PRIMARY KEY, count INTEGER NOT NULL, checksum INTEGER NOT NULL,
  boot_id TEXT NOT NULL, monotonic_us INTEGER NOT NULL, wall_us INTEGER NOT NULL, body BLOB NOT NULL)`;

/** KiB of page cache: groups are written and read once, in order, so a cache has little to give. */
const CACHE_KIB = 1_024;

/** Where SQLite's header, of so many bytes, has the size of a page and their number (sqlite.org/fileformat2.html, §1.3). */
const HEADER_BYTES = 100;
const PAGE_SIZE_AT = 16;
const PAGES_AT = 28;

/** No segment holds more messages; a row that says otherwise is damaged. */
const COUNT_MAX = 2 ** 32;

/**
 * A segment: one SQLite file of groups. The first offset that it may hold is in its name.
 *
 * It is opened when it is used and closed by `rest`, so that a long backlog costs neither memory nor file handles. A
 * row's checksum covers its numbers, its stamp and its bytes as they are stored, encrypted ones too: whether a group is
 * whole can be told without the key.
 */
export class Segment {
  readonly path: string;
  readonly firstOffset: number;
  readonly #bodies: Bodies;
  #open: Handle | undefined;
  #restingBytes: number | undefined;
  #bytes: number | undefined;
  #endOffset: number;

  /** Opens or makes the file. Throws PipelineError "buffer.damaged", "buffer.disk_full", "buffer.unwritable". */
  constructor(path: string, firstOffset: number, bodies = new Bodies()) {
    this.path = path;
    this.firstOffset = firstOffset;
    this.#bodies = bodies;
    const { file } = this.#handle();
    try {
      this.#endOffset = this.#readEnd(file);
    } catch (cause) {
      this.rest();
      throw sqliteError(cause, `cannot use ${path}`);
    }
  }

  /** Bytes of the messages in it, counted when first asked for: that reads a good part of the file. */
  get bytes(): number {
    if (this.#bytes !== undefined) return this.#bytes;
    const sum = "SELECT coalesce(sum(length(body)), 0) FROM message_group";
    try {
      return (this.#bytes = Number(this.#handle().file.prepare(sum).pluck().get()));
    } catch (cause) {
      throw sqliteError(cause, `cannot read ${this.path}`);
    }
  }

  /** The offset after its last message; `firstOffset` of an empty segment. */
  get endOffset(): number {
    return this.#endOffset;
  }

  /** Durable when it returns: one insert is one transaction is one fsync. */
  append(group: StoredGroup, stamp: GroupStamp): void {
    const { first, count } = group;
    const { bootId, monotonicUs, wallUs } = stamp;
    const body = this.#bodies.encrypt(groupPlace(group), group.bytes);
    const bytes = this.bytes + body.length;
    const checksum = groupChecksum({
      first,
      count,
      boot_id: bootId,
      monotonic_us: monotonicUs,
      wall_us: wallUs,
      body,
    });
    try {
      this.#handle().insert.run(first, count, checksum, bootId, monotonicUs, wallUs, body);
    } catch (cause) {
      throw sqliteError(cause, `cannot write to ${this.path}`);
    }
    this.#bytes = bytes;
    this.#endOffset = first + count;
  }

  /** Notes that somebody else has appended up to here. */
  grew(endOffset: number): void {
    this.#endOffset = Math.max(this.#endOffset, endOffset);
    this.#restingBytes = undefined;
  }

  /** Where the group lies that holds `offset` or, where none does, the next one. Throws "buffer.damaged". */
  find(offset: number): GroupRange | undefined {
    let rows: GroupRange[];
    try {
      rows = this.#handle().find.all({ offset }) as GroupRange[];
    } catch (cause) {
      throw sqliteError(cause, `cannot read ${this.path}`);
    }
    // A damaged count must neither stop the search nor carry it past the next group.
    const ranges = rows.map(({ first, count }, i) => {
      const room = (rows[i + 1]?.first ?? this.#endOffset) - first;
      return {
        first,
        count: Number.isInteger(count) && count > 0 && count <= room ? count : Math.max(1, room),
      };
    });
    return ranges.find(({ first, count }) => first + count > offset);
  }

  /** The group at `first`. Throws "buffer.damaged" where it is not what was stored. */
  read(range: GroupRange): StampedMessages {
    let row: GroupRow | undefined;
    try {
      row = this.#handle().row.get(range.first) as GroupRow | undefined;
    } catch (cause) {
      throw sqliteError(cause, `cannot read ${this.path}`);
    }
    if (row === undefined || groupChecksum({ ...row, ...range }) !== row.checksum)
      throw new PipelineError(
        "buffer.damaged",
        `${this.path}: the group at offset ${range.first} is damaged`,
      );
    const stamp = { bootId: row.boot_id, monotonicUs: row.monotonic_us, wallUs: row.wall_us };
    return { messages: messagesOf(row, range, this.#bodies), stamp };
  }

  /**
   * Whether the file has the length that its header says: what can be told in a moment, and what a file that was cut off
   * or overwritten at its head does not pass. Everything else shows when it is read, by each group's checksum and by the
   * offsets that are missing.
   */
  checkShape(): readonly string[] {
    this.rest(); // The write-ahead log is in the file from here on.
    const header = Buffer.alloc(HEADER_BYTES);
    const handle = openSync(this.path, "r");
    try {
      readSync(handle, header, 0, HEADER_BYTES, 0);
    } finally {
      closeSync(handle);
    }
    const said = (header.readUInt16BE(PAGE_SIZE_AT) & 0xfffe || 65_536) * header.readUInt32BE(PAGES_AT);
    const { size } = statSync(this.path);
    return said === size ? [] : [`its header says ${said} bytes, it has ${size}`];
  }

  /** Asks SQLite whether the file is whole, which reads all of it; the names of what is not. */
  check(): readonly string[] {
    try {
      const rows = this.#handle().file.pragma("quick_check") as { quick_check: string }[];
      return rows.map((row) => row.quick_check).filter((text) => text !== "ok");
    } catch (cause) {
      return [String(cause)];
    }
  }

  /** Folds what a crash has left in the write-ahead log into the file. Throws PipelineError "buffer.disk_failing". */
  fold(): void {
    foldLog(this.#handle().file);
  }

  /** What it takes on disk, the write-ahead log included; at rest it does not change, so the disk is asked once. */
  diskBytes(): number {
    const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (this.#open !== undefined) return size(this.path) + size(`${this.path}-wal`);
    return (this.#restingBytes ??= size(this.path) + size(`${this.path}-wal`));
  }

  /** Opens the file, so that it is not closed for good when somebody else closes it. */
  open(): void {
    this.#handle();
  }

  /** Gives back the file's handles and memory; SQLite folds the write-ahead log into the file. */
  rest(): void {
    this.#open?.file.close();
    this.#open = undefined;
    this.#restingBytes = undefined;
  }

  #handle(): Handle {
    if (this.#open !== undefined) return this.#open;
    const file = openSqlite(this.path);
    try {
      file.pragma(`cache_size = -${CACHE_KIB}`);
      // The log is folded in when the segment is full, in one go and by who has the time: never while a group waits.
      file.pragma("wal_autocheckpoint = 0");
      file.exec(SEGMENT_SCHEMA);
      this.#open = {
        file,
        insert: file.prepare("INSERT INTO message_group VALUES (?, ?, ?, ?, ?, ?, ?)"),
        // Two steps down the tree, however many groups there are: the last that begins at or before it, and the next two.
        find: file.prepare(
          `SELECT first, count FROM message_group
           WHERE first >= coalesce((SELECT max(first) FROM message_group WHERE first <= @offset), @offset)
           ORDER BY first LIMIT 3`,
        ),
        row: file.prepare("SELECT * FROM message_group WHERE first = ?"),
      };
      return this.#open;
    } catch (cause) {
      file.close();
      throw sqliteError(cause, `cannot use ${this.path}`);
    }
  }

  #readEnd(file: SqliteFile): number {
    const last = file.prepare("SELECT first, count FROM message_group ORDER BY first DESC LIMIT 1").get() as
      GroupRange | undefined;
    if (last === undefined) return this.firstOffset;
    const { first, count } = last;
    if (!(first >= this.firstOffset && count > 0 && count < COUNT_MAX && Number.isSafeInteger(first + count)))
      throw new PipelineError(
        "buffer.damaged",
        `${this.path}: the last group says ${first}, ${count} messages`,
      );
    return first + count;
  }
}

/** CRC-32 of a group, of where it belongs and of when it was written, so that none of them can change unseen. */
export const groupChecksum = (row: Omit<GroupRow, "checksum">): number =>
  crc32(row.body, crc32([row.first, row.count, row.boot_id, row.monotonic_us, row.wall_us].join(" ")));

/** The messages in a row whose checksum is right. Throws "buffer.damaged" where they are not as many as it says. */
export function messagesOf(
  row: Pick<GroupRow, "body">,
  range: GroupRange,
  bodies: Bodies,
): readonly IncomingMessage[] {
  const place = groupPlace(range);
  const messages = decodeGroup(bodies.decrypt(place, row.body));
  if (messages.length === range.count) return messages;
  throw new PipelineError("buffer.damaged", `${place}: there are ${messages.length} messages`);
}

const groupPlace = ({ first, count }: GroupRange): string => `group ${first} ${count}`;
