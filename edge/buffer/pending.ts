import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import { present } from "@sluice/shared/runtime/assert.ts";
import type { Statement } from "better-sqlite3";
import type { Bodies } from "./body.ts";
import type { SqliteFile } from "./sqlite-file.ts";

export const PENDING_SCHEMA = `
  CREATE TABLE IF NOT EXISTS pending (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, from_offset INTEGER NOT NULL,
    to_offset INTEGER NOT NULL, rows INTEGER NOT NULL, at_us INTEGER NOT NULL, chunk BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS pending_by_stream ON pending (stream, id);
`;

/** Rows that a step adds to a stream: offsets, or row numbers, [from, to], encoded as one chunk. */
export interface AppendedRows {
  readonly stream: Stream;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly chunk: Uint8Array;
}

/** What of a stream is in no batch yet. */
export interface PendingAmount {
  readonly rows: number;
  readonly bytes: number;
  /** When the oldest of it was stored; undefined where there is none. */
  readonly oldestAtUs: number | undefined;
}

/** The oldest pending rows of a stream as the chunks that they were stored in; offsets are -1 where there are none. */
export interface PendingChunks {
  readonly ids: readonly number[];
  readonly chunks: readonly Uint8Array[];
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

interface PendingRow {
  readonly id: number;
  readonly from_offset: number;
  readonly to_offset: number;
  readonly rows: number;
  readonly at_us: number;
  readonly chunk: Buffer;
}

/** Rows that are derived and in no batch yet, chunk by chunk in the order in which they came. */
export class Pending {
  readonly #bodies: Bodies;
  readonly #insert: Statement;
  readonly #select: Statement;
  readonly #remove: Statement;
  readonly #count: Statement;
  readonly #amounts = new Map<Stream, PendingAmount>();

  constructor(file: SqliteFile, bodies: Bodies) {
    this.#bodies = bodies;
    this.#insert = file.prepare(
      "INSERT INTO pending (stream, from_offset, to_offset, rows, at_us, chunk) VALUES (?, ?, ?, ?, ?, ?)",
    );
    this.#select = file.prepare("SELECT * FROM pending WHERE stream = ? ORDER BY id");
    this.#remove = file.prepare("DELETE FROM pending WHERE id = ?");
    this.#count = file.prepare(
      "SELECT coalesce(sum(rows), 0) AS rows, coalesce(sum(length(chunk)), 0) AS bytes, min(at_us) AS oldest FROM pending WHERE stream = ?",
    );
    for (const stream of STREAMS) this.recount(stream);
  }

  amount(stream: Stream): PendingAmount {
    return present(this.#amounts.get(stream), "every stream is counted");
  }

  /** Writes rows inside of a transaction; the amounts follow by `remember`, when it is durable. */
  write(appended: readonly AppendedRows[], atUs: number): void {
    for (const { stream, from, to, rows, chunk } of appended) {
      const place = pendingPlace({ stream, from_offset: from, to_offset: to, rows, at_us: atUs });
      this.#insert.run(stream, from, to, rows, atUs, this.#bodies.seal(place, chunk));
    }
  }

  remember(appended: readonly AppendedRows[], atUs: number): void {
    for (const { stream, rows, chunk } of appended) {
      const { rows: before, bytes, oldestAtUs } = this.amount(stream);
      this.#amounts.set(stream, {
        rows: before + rows,
        bytes: bytes + chunk.length + this.#bodies.overheadBytes,
        oldestAtUs: oldestAtUs ?? atUs,
      });
    }
  }

  /**
   * Whole chunks, oldest first, up to `rowsMax` rows, but at least one where there is any; only those before the first
   * one that was stored at a time that is not ready. Throws PipelineError "buffer.damaged" where one is not what was
   * stored.
   */
  read(
    stream: Stream,
    rowsMax: number,
    isReady: (storedAtUs: number) => boolean = () => true,
  ): PendingChunks {
    const taken: PendingRow[] = [];
    let rows = 0;
    for (const row of this.#select.iterate(stream) as IterableIterator<PendingRow>) {
      if (!isReady(row.at_us)) break;
      if (taken.length > 0 && rows + row.rows > rowsMax) break;
      taken.push(row);
      rows += row.rows;
    }
    return {
      ids: taken.map((row) => row.id),
      chunks: taken.map((row) => this.#bodies.open(pendingPlace({ ...row, stream }), row.chunk)),
      from: taken[0]?.from_offset ?? -1,
      to: taken.at(-1)?.to_offset ?? -1,
      rows,
    };
  }

  /** Removes chunks inside of a transaction; the amount follows by `recount`. */
  remove(ids: readonly number[]): void {
    for (const id of ids) this.#remove.run(id);
  }

  /** Counts a stream anew from the file. */
  recount(stream: Stream): void {
    const row = this.#count.get(stream) as { rows: number; bytes: number; oldest: number | null };
    this.#amounts.set(stream, { rows: row.rows, bytes: row.bytes, oldestAtUs: row.oldest ?? undefined });
  }
}

/** Where a chunk belongs, as its checksum or its encryption knows it. */
export const pendingPlace = (row: {
  readonly stream: string;
  readonly from_offset: number;
  readonly to_offset: number;
  readonly rows: number;
  readonly at_us: number;
}): string => `pending ${row.stream} ${row.from_offset} ${row.to_offset} ${row.rows} ${row.at_us}`;
