import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { isNumbered, type NumberedStream, STREAMS, type Stream } from "@sluice/shared/contract/stream.ts";
import { assert, present } from "@sluice/shared/runtime/assert.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { makeFolder, openSqlite, setAside, type SqliteFile, sqliteError } from "./sqlite-file.ts";

export interface StateStoreOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Rows that a step adds to a stream: offsets, or row numbers, [from, to], encoded as one chunk. */
export interface AppendedRows {
  readonly stream: Stream;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly chunk: Uint8Array;
}

export interface Step {
  /** Everything up to this message offset has been derived. */
  readonly throughOffset: number;
  readonly appended: readonly AppendedRows[];
  /** What is added to each counter. */
  readonly counters: Readonly<Record<string, number>>;
  readonly meta?: Readonly<Record<string, string>>;
  /** Feature state that covers everything up to `throughOffset`. */
  readonly checkpoint?: Uint8Array;
}

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

interface Pending {
  rows: number;
  bytes: number;
  oldestAtUs: number | undefined;
}

interface PendingRow {
  readonly id: number;
  readonly from_offset: number;
  readonly to_offset: number;
  readonly rows: number;
  readonly chunk: Buffer;
}

/** The streams whose rows carry message offsets: with them in the lake, all that a message said is there. */
const MESSAGE_STREAMS = ["readings", "labels", "quarantine"] as const;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS checkpoint (only INTEGER PRIMARY KEY CHECK (only = 1), through INTEGER NOT NULL, body BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS pending (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, from_offset INTEGER NOT NULL,
    to_offset INTEGER NOT NULL, rows INTEGER NOT NULL, at_us INTEGER NOT NULL, chunk BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS pending_by_stream ON pending (stream, id);
  CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, from_offset INTEGER NOT NULL, to_offset INTEGER NOT NULL,
    rows INTEGER NOT NULL, key TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, body BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS outbox_by_stream ON outbox (stream, id);
`;

/**
 * Everything that a gateway has derived from its messages and not yet delivered, and how far it has come.
 *
 * A step is one transaction: rows, counters and the offset that they cover become durable together or not at all, so
 * a message counts once wherever the process dies. The file's free pages are used again; it does not grow for ever.
 *
 * A damaged file is set aside and a new epoch begins, from the first message that the lake was not known to have
 * (kept in a file of its own). What was delivered but not yet known to be so in every stream can then be in the lake
 * under both epochs; the damage is logged as an error and both epochs stay visible in the lake.
 */
export class StateStore {
  readonly epoch: string;
  readonly #clock: Clock;
  readonly #path: string;
  readonly #file: SqliteFile;
  readonly #marks: SqliteFile;
  readonly #pending = new Map<Stream, Pending>();
  #decodedThrough: number;
  #counters: Map<string, number>;

  private constructor(options: StateStoreOptions, file: SqliteFile, marks: SqliteFile) {
    this.#clock = options.clock;
    this.#path = join(options.dir, "state.db");
    this.#file = file;
    this.#marks = marks;
    const startedFrom = this.#lakeThrough();
    this.#file.transaction(() => {
      if (this.#mark("epoch") !== undefined) return;
      this.#setMark("epoch", newUuid());
      // Its first batches begin at 0 all the same, so that the lake sees an epoch without a gap.
      this.#setMark("decoded", startedFrom);
    })();
    this.epoch = String(present(this.#mark("epoch"), "a state file has an epoch"));
    this.#decodedThrough = this.#number("decoded", -1);
    this.#counters = new Map(
      (file.prepare("SELECT name, value FROM counter").all() as { name: string; value: number }[]).map(
        (row) => [row.name, row.value],
      ),
    );
    for (const stream of STREAMS) this.#pending.set(stream, this.#countPending(stream));
  }

  /** Opens or makes the state. Throws PipelineError "buffer.unwritable", "buffer.disk_full". */
  static open(options: StateStoreOptions): StateStore {
    const { dir } = options;
    makeFolder(dir);
    const marks = openOrReplace(options, join(dir, "marks.db"), (path) => {
      const file = openChecked(path);
      file.exec("CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value) WITHOUT ROWID");
      return file;
    });
    try {
      return openOrReplace(options, join(dir, "state.db"), (path) => {
        const file = openChecked(path);
        try {
          file.exec(SCHEMA);
          return new StateStore(options, file, marks);
        } catch (cause) {
          file.close();
          throw sqliteError(cause, `cannot use ${path}`);
        }
      });
    } catch (error) {
      marks.close();
      throw error;
    }
  }

  /** The last message offset that everything was derived from; -1 before the first. */
  get decodedThrough(): number {
    return this.#decodedThrough;
  }

  /** Durable when it returns. */
  commitStep(step: Step): void {
    assert(step.throughOffset >= this.#decodedThrough, "a step does not go back");
    const counters = new Map(this.#counters);
    this.#transaction(() => {
      const insert = this.#file.prepare(
        "INSERT INTO pending (stream, from_offset, to_offset, rows, at_us, chunk) VALUES (?, ?, ?, ?, ?, ?)",
      );
      for (const { stream, from, to, rows, chunk } of step.appended) {
        insert.run(stream, from, to, rows, this.#clock.nowUs(), chunk);
        if (isNumbered(stream)) this.#setMark(`seq.${stream}`, to + 1);
      }
      const count = this.#file.prepare("INSERT OR REPLACE INTO counter VALUES (?, ?)");
      for (const [name, increment] of Object.entries(step.counters)) {
        if (increment === 0) continue;
        counters.set(name, (counters.get(name) ?? 0) + increment);
        count.run(name, counters.get(name));
      }
      for (const [key, value] of Object.entries(step.meta ?? {}))
        if (this.meta(key) !== value) this.#setMark(`meta.${key}`, value);
      if (step.checkpoint !== undefined)
        this.#file
          .prepare("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?)")
          .run(step.throughOffset, step.checkpoint);
      this.#setMark("decoded", step.throughOffset);
    });
    this.#decodedThrough = step.throughOffset;
    this.#counters = counters;
    for (const { stream, rows, chunk } of step.appended) {
      const pending = this.#pendingOf(stream);
      pending.rows += rows;
      pending.bytes += chunk.length;
      pending.oldestAtUs ??= this.#clock.nowUs();
    }
  }

  checkpoint(): { readonly throughOffset: number; readonly bytes: Uint8Array } | undefined {
    const row = this.#file.prepare("SELECT through, body FROM checkpoint").get() as
      { through: number; body: Buffer } | undefined;
    return row === undefined ? undefined : { throughOffset: row.through, bytes: row.body };
  }

  /** The number of the next row of a stream that numbers its own rows. */
  nextSeq(stream: NumberedStream): number {
    return this.#number(`seq.${stream}`, 0);
  }

  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counters);
  }

  meta(key: string): string | undefined {
    const value = this.#mark(`meta.${key}`);
    return typeof value === "string" ? value : undefined;
  }

  pending(stream: Stream): Readonly<Pending> {
    return this.#pendingOf(stream);
  }

  /** Whole chunks, oldest first, up to `rowsMax` rows, but at least one where there is any. */
  readPending(
    stream: Stream,
    rowsMax: number,
  ): {
    readonly ids: readonly number[];
    readonly chunks: readonly Uint8Array[];
    readonly from: number;
    readonly to: number;
    readonly rows: number;
  } {
    const taken: PendingRow[] = [];
    let rows = 0;
    const query = this.#file.prepare("SELECT * FROM pending WHERE stream = ? ORDER BY id");
    for (const row of query.iterate(stream) as IterableIterator<PendingRow>) {
      if (taken.length > 0 && rows + row.rows > rowsMax) break;
      taken.push(row);
      rows += row.rows;
    }
    return {
      ids: taken.map((row) => row.id),
      chunks: taken.map((row) => row.chunk),
      from: taken[0]?.from_offset ?? -1,
      to: taken.at(-1)?.to_offset ?? -1,
      rows,
    };
  }

  /** In one transaction: the batch is in the outbox, encoded once and for all, and its chunks are no longer pending. */
  seal(batch: SealedBatch, ids: readonly number[]): void {
    const { stream, from, to, rows, key, sha256, body } = batch;
    this.#transaction(() => {
      this.#file
        .prepare(
          "INSERT INTO outbox (stream, from_offset, to_offset, rows, key, sha256, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .run(stream, from, to, rows, key, sha256, body);
      const remove = this.#file.prepare("DELETE FROM pending WHERE id = ?");
      for (const id of ids) remove.run(id);
      this.#setMark(`sealed.${stream}`, to);
    });
    this.#pending.set(stream, this.#countPending(stream));
  }

  /** Batches that the lake does not have yet, oldest first. */
  peekOutbox(limit: number, stream: Stream): readonly OutboxBatch[] {
    const rows = this.#file
      .prepare("SELECT * FROM outbox WHERE stream = ? ORDER BY id LIMIT ?")
      .all(stream, limit) as (Omit<OutboxBatch, "from" | "to"> & {
      from_offset: number;
      to_offset: number;
    })[];
    return rows.map(({ from_offset: from, to_offset: to, ...rest }) => ({ ...rest, from, to }));
  }

  /** The lake has the batch: forget it. */
  markDelivered(id: number): void {
    const row = this.#file.prepare("SELECT stream, to_offset FROM outbox WHERE id = ?").get(id) as
      { stream: Stream; to_offset: number } | undefined;
    if (row === undefined) return; // Delivered before.
    this.#transaction(() => {
      this.#file.prepare("DELETE FROM outbox WHERE id = ?").run(id);
      this.#setMark(`delivered.${row.stream}`, row.to_offset);
    });
    const through = this.deliveredOffset();
    if (through > this.#lakeThrough())
      this.#marks.prepare("INSERT OR REPLACE INTO mark VALUES ('delivered', ?)").run(through);
  }

  /** The last message offset of which every reading, label and quarantined value is in the lake. */
  deliveredOffset(): number {
    const through = MESSAGE_STREAMS.map((stream) =>
      this.#pendingOf(stream).rows === 0 && this.sealedThrough(stream) === this.deliveredThrough(stream)
        ? this.#decodedThrough
        : this.deliveredThrough(stream),
    );
    return Math.min(...through);
  }

  /** What is remembered of it outside of the state file. */
  #lakeThrough(): number {
    return Number(this.#marks.prepare("SELECT value FROM mark WHERE name = 'delivered'").pluck().get() ?? -1);
  }

  /** The last offset that is in a batch; -1 before the first. */
  sealedThrough(stream: Stream): number {
    return this.#number(`sealed.${stream}`, -1);
  }

  /** The last offset that the lake has; -1 before the first. */
  deliveredThrough(stream: Stream): number {
    return this.#number(`delivered.${stream}`, -1);
  }

  /** What waits in the outbox. */
  outbox(): { readonly batches: number; readonly bytes: number } {
    return this.#file
      .prepare("SELECT count(*) AS batches, coalesce(sum(length(body)), 0) AS bytes FROM outbox")
      .get() as {
      batches: number;
      bytes: number;
    };
  }

  diskBytes(): number {
    const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return size(this.#path) + size(`${this.#path}-wal`);
  }

  close(): void {
    this.#file.close();
    this.#marks.close();
  }

  #transaction(work: () => void): void {
    try {
      this.#file.transaction(work)(); // Durable from here: SQLite has synced to disk.
    } catch (cause) {
      throw cause instanceof PipelineError ? cause : sqliteError(cause, `cannot write to ${this.#path}`);
    }
  }

  #pendingOf(stream: Stream): Pending {
    return present(this.#pending.get(stream), "every stream is counted");
  }

  #countPending(stream: Stream): Pending {
    const row = this.#file
      .prepare(
        "SELECT coalesce(sum(rows), 0) AS rows, coalesce(sum(length(chunk)), 0) AS bytes, min(at_us) AS oldest FROM pending WHERE stream = ?",
      )
      .get(stream) as { rows: number; bytes: number; oldest: number | null };
    return { rows: row.rows, bytes: row.bytes, oldestAtUs: row.oldest ?? undefined };
  }

  #mark(name: string): unknown {
    return this.#file.prepare("SELECT value FROM mark WHERE name = ?").pluck().get(name);
  }

  #number(name: string, otherwise: number): number {
    const value = this.#mark(name);
    return typeof value === "number" ? value : otherwise;
  }

  #setMark(name: string, value: string | number): void {
    this.#file.prepare("INSERT OR REPLACE INTO mark VALUES (?, ?)").run(name, value);
  }
}

/** Opens a file, or sets it aside when it is damaged and opens a new one in its place. */
function openOrReplace<T>({ log }: StateStoreOptions, path: string, open: (path: string) => T): T {
  try {
    return open(path);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== "buffer.damaged" || !existsSync(path))
      throw error;
    log.error(
      { file: setAside(path) },
      `the gateway's state is damaged, it begins anew from what the lake has: ${describeError(error)}`,
    );
    return open(path);
  }
}

function openChecked(path: string): SqliteFile {
  const file = openSqlite(path);
  try {
    const problems = (file.pragma("quick_check") as { quick_check: string }[]).filter(
      (row) => row.quick_check !== "ok",
    );
    if (problems[0] !== undefined)
      throw new PipelineError("buffer.damaged", `${path}: ${problems[0].quick_check}`);
    return file;
  } catch (cause) {
    file.close();
    throw sqliteError(cause, `cannot use ${path}`);
  }
}
