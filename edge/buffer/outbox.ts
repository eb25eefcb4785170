import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { Statement } from "better-sqlite3";
import type { Bodies } from "./body.ts";
import type { SqliteFile } from "./sqlite-file.ts";

/** What became of a batch is kept beside it, so that noting it does not write the batch's bytes again. */
export const OUTBOX_SCHEMA = `
  CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, from_offset INTEGER NOT NULL, to_offset INTEGER NOT NULL,
    rows INTEGER NOT NULL, key TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, body BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS outbox_by_stream ON outbox (stream, id);
  CREATE TABLE IF NOT EXISTS batch_fate (
    batch INTEGER PRIMARY KEY, sealed_at_us INTEGER NOT NULL, tried INTEGER NOT NULL, step INTEGER NOT NULL);
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

/** A batch that the lake does not have yet, without its bytes. */
export interface WaitingBatch {
  readonly id: number;
  readonly stream: Stream;
  readonly to: number;
  readonly rows: number;
  readonly key: string;
  /** As it is stored; encryption adds a few. */
  readonly bytes: number;
}

/** A batch that was never sent, without its bytes. */
export interface UntriedBatch {
  readonly id: number;
  readonly stream: Stream;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly bytes: number;
  readonly sealedAtUs: number;
  /** One of `step` readings of each series is left: 1 is all of them, 0 none. */
  readonly step: number;
}

/** The same batch with fewer rows. */
export interface RewrittenBatch extends OutboxBatch {
  readonly step: number;
}

type OutboxRow = Omit<OutboxBatch, "from" | "to"> & {
  readonly from_offset: number;
  readonly to_offset: number;
};

/** A batch of an earlier version says nothing of its tries: it counts as tried. */
const UNTRIED = `SELECT id, stream, from_offset AS "from", to_offset AS "to", rows, length(body) AS bytes,
  sealed_at_us AS sealedAtUs, step FROM outbox JOIN batch_fate ON batch = id WHERE stream = ? AND tried = 0`;

/**
 * Batches that the lake does not have yet, as they will be there: encoded, with key and checksum.
 *
 * A batch that was ever sent stays as it is, byte for byte, because the lake may have it; only one that never was may
 * be written anew with fewer rows. All writes are durable with the transaction around them.
 */
export class Outbox {
  readonly #bodies: Bodies;
  readonly #insert: Statement;
  readonly #insertFate: Statement;
  readonly #oldest: Statement;
  readonly #newest: Statement;
  readonly #waiting: Statement;
  readonly #one: Statement;
  readonly #untried: Statement;
  readonly #end: Statement;
  readonly #untriedStep: Statement;
  readonly #try: Statement;
  readonly #rewrite: Statement;
  readonly #setStep: Statement;
  readonly #remove: Statement;
  readonly #removeFate: Statement;
  readonly #sum: Statement;
  readonly #readingsByStep: Statement;
  /** Undefined where they must be counted anew. */
  #readings: readonly { readonly step: number; readonly bytes: number }[] | undefined;
  #totals: { readonly batches: number; readonly bytes: number } | undefined;

  constructor(file: SqliteFile, bodies: Bodies) {
    this.#bodies = bodies;
    this.#insert = file.prepare(
      "INSERT INTO outbox (stream, from_offset, to_offset, rows, key, sha256, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
    );
    this.#insertFate = file.prepare("INSERT OR REPLACE INTO batch_fate VALUES (?, ?, 0, 1)");
    this.#oldest = file.prepare("SELECT * FROM outbox WHERE stream = ? ORDER BY id LIMIT ?");
    this.#newest = file.prepare("SELECT * FROM outbox WHERE stream = ? ORDER BY id DESC");
    this.#waiting = file.prepare(
      'SELECT id, stream, to_offset AS "to", rows, key, length(body) AS bytes FROM outbox WHERE stream = ? ORDER BY id LIMIT ?',
    );
    this.#one = file.prepare("SELECT * FROM outbox WHERE id = ?");
    this.#untried = file.prepare(`${UNTRIED} ORDER BY id`);
    this.#end = file.prepare('SELECT stream, to_offset AS "to" FROM outbox WHERE id = ?');
    this.#untriedStep = file.prepare("SELECT step FROM batch_fate WHERE batch = ? AND tried = 0").pluck();
    this.#try = file.prepare("INSERT OR REPLACE INTO batch_fate VALUES (@id, 0, 1, 1)");
    this.#rewrite = file.prepare(
      "UPDATE outbox SET rows = @rows, sha256 = @sha256, body = @body WHERE id = @id AND sha256 <> @sha256",
    );
    this.#setStep = file.prepare("UPDATE batch_fate SET step = ? WHERE batch = ?");
    this.#remove = file.prepare("DELETE FROM outbox WHERE id = ?");
    this.#removeFate = file.prepare("DELETE FROM batch_fate WHERE batch = ?");
    this.#readingsByStep = file.prepare(
      "SELECT step, sum(length(body)) AS bytes FROM outbox JOIN batch_fate ON batch = id WHERE stream = 'readings' AND tried = 0 GROUP BY step",
    );
    this.#sum = file.prepare(
      "SELECT count(*) AS batches, coalesce(sum(length(body)), 0) AS bytes FROM outbox",
    );
  }

  write(batch: SealedBatch, atUs: number): void {
    this.#forget();
    const { stream, from, to, rows, key, sha256 } = batch;
    const body = this.#bodies.seal(outboxPlace(batch), batch.body);
    const { lastInsertRowid } = this.#insert.run(stream, from, to, rows, key, sha256, body);
    this.#insertFate.run(lastInsertRowid, atUs);
  }

  /** Oldest first. Throws PipelineError "buffer.damaged" where one is not what was stored. */
  read(stream: Stream, limit: number): readonly OutboxBatch[] {
    return (this.#oldest.all(stream, limit) as OutboxRow[]).map((row) => this.#batchOf(row));
  }

  /**
   * The newest batches without a gap up to an offset, oldest first: as many whole ones as have no more than `rowsMax`
   * rows together. Throws as `read`.
   */
  readThrough(stream: Stream, toOffset: number, rowsMax: number): readonly OutboxBatch[] {
    const taken: OutboxBatch[] = [];
    let [end, rows] = [toOffset, 0];
    for (const row of this.#newest.iterate(stream) as IterableIterator<OutboxRow>) {
      rows += row.rows;
      if (row.to_offset !== end || rows > rowsMax) break;
      taken.push(this.#batchOf(row));
      end = row.from_offset - 1;
    }
    return taken.toReversed();
  }

  /** Oldest first, without their bytes. */
  waiting(stream: Stream, limit: number): readonly WaitingBatch[] {
    return this.#waiting.all(stream, limit) as WaitingBatch[];
  }

  readOne(id: number): OutboxBatch | undefined {
    const row = this.#one.get(id) as OutboxRow | undefined;
    return row === undefined ? undefined : this.#batchOf(row);
  }

  #batchOf({ from_offset: from, to_offset: to, ...rest }: OutboxRow): OutboxBatch {
    const batch = { ...rest, from, to };
    return { ...batch, body: this.#bodies.open(outboxPlace(batch), batch.body) };
  }

  /** Batches of a stream that may still be written anew, oldest first. */
  untried(stream: Stream): readonly UntriedBatch[] {
    return this.#untried.all(stream) as UntriedBatch[];
  }

  /** The step of a batch that may still be written anew; undefined where it may not. */
  untriedStep(id: number): number | undefined {
    const step = this.#untriedStep.get(id);
    return typeof step === "number" ? step : undefined;
  }

  markTried(id: number): void {
    this.#forget();
    this.#try.run({ id });
  }

  rewrite(batch: RewrittenBatch): void {
    this.#forget();
    const body = this.#bodies.seal(outboxPlace(batch), batch.body);
    this.#rewrite.run({ id: batch.id, rows: batch.rows, sha256: batch.sha256, body });
    this.#setStep.run(batch.step, batch.id);
  }

  /** The last offset of a batch; undefined where there is no such batch. */
  end(id: number): { readonly stream: Stream; readonly to: number } | undefined {
    return this.#end.get(id) as { readonly stream: Stream; readonly to: number } | undefined;
  }

  remove(id: number): void {
    this.#forget();
    this.#remove.run(id);
    this.#removeFate.run(id);
  }

  /** Bytes of readings in batches that may still be written anew, by their step. */
  untriedReadings(): readonly { readonly step: number; readonly bytes: number }[] {
    this.#readings ??= this.#readingsByStep.all() as { step: number; bytes: number }[];
    return this.#readings;
  }

  #forget(): void {
    this.#totals = undefined;
    this.#readings = undefined;
  }

  totals(): { readonly batches: number; readonly bytes: number } {
    this.#totals ??= this.#sum.get() as { readonly batches: number; readonly bytes: number };
    return this.#totals;
  }
}

/** Where a batch belongs, as its checksum or its encryption knows it. */
export const outboxPlace = (batch: Omit<SealedBatch, "body">): string =>
  `outbox ${batch.key} ${batch.stream} ${batch.from} ${batch.to} ${batch.rows} ${batch.sha256}`;
