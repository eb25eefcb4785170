import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { Statement } from "better-sqlite3";
import type { SqliteFile } from "./sqlite-file.ts";

export const OUTBOX_SCHEMA = `
  CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, from_offset INTEGER NOT NULL, to_offset INTEGER NOT NULL,
    rows INTEGER NOT NULL, key TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, body BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS outbox_by_stream ON outbox (stream, id);
`;

/** A batch with its place in the lake, encoded. */
export interface SealedBatch {
  readonly stream: Stream;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly key: string;
  readonly sha256: string;
  readonly body: Uint8Array;
}

export interface OutboxBatch extends SealedBatch {
  readonly id: number;
}

type OutboxRow = Omit<OutboxBatch, "from" | "to"> & {
  readonly from_offset: number;
  readonly to_offset: number;
};

/** Batches that the lake does not have yet, as they will be there: encoded, with key and checksum. */
export class Outbox {
  readonly #insert: Statement;
  readonly #oldest: Statement;
  readonly #end: Statement;
  readonly #remove: Statement;
  readonly #totals: Statement;

  constructor(file: SqliteFile) {
    this.#insert = file.prepare(
      "INSERT INTO outbox (stream, from_offset, to_offset, rows, key, sha256, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
    );
    this.#oldest = file.prepare("SELECT * FROM outbox WHERE stream = ? ORDER BY id LIMIT ?");
    this.#end = file.prepare('SELECT stream, to_offset AS "to" FROM outbox WHERE id = ?');
    this.#remove = file.prepare("DELETE FROM outbox WHERE id = ?");
    this.#totals = file.prepare(
      "SELECT count(*) AS batches, coalesce(sum(length(body)), 0) AS bytes FROM outbox",
    );
  }

  /** Durable with the transaction around it. */
  write({ stream, from, to, rows, key, sha256, body }: SealedBatch): void {
    this.#insert.run(stream, from, to, rows, key, sha256, body);
  }

  /** Oldest first. */
  read(stream: Stream, limit: number): readonly OutboxBatch[] {
    const rows = this.#oldest.all(stream, limit) as OutboxRow[];
    return rows.map(({ from_offset: from, to_offset: to, ...rest }) => ({ ...rest, from, to }));
  }

  /** The last offset of a batch; undefined where there is no such batch. */
  end(id: number): { readonly stream: Stream; readonly to: number } | undefined {
    return this.#end.get(id) as { readonly stream: Stream; readonly to: number } | undefined;
  }

  remove(id: number): void {
    this.#remove.run(id);
  }

  totals(): { readonly batches: number; readonly bytes: number } {
    return this.#totals.get() as { readonly batches: number; readonly bytes: number };
  }
}
