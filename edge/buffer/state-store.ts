import { statSync } from "node:fs";
import { join } from "node:path";
import { encodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import { isNumbered, type NumberedStream, type Stream } from "@sluice/shared/contract/stream.ts";
import { assert, present } from "@sluice/shared/runtime/assert.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { openChecked, openOrReplace } from "./checked-file.ts";
import { COUNTER_SCHEMA, Counters } from "./counters.ts";
import { MARK_SCHEMA, Marks } from "./marks.ts";
import { Outbox, OUTBOX_SCHEMA, type OutboxBatch, type SealedBatch } from "./outbox.ts";
import {
  type AppendedRows,
  Pending,
  PENDING_SCHEMA,
  type PendingAmount,
  type PendingChunks,
} from "./pending.ts";
import { makeFolder, type SqliteFile, sqliteError } from "./sqlite-file.ts";

export interface StateStoreOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Step {
  /** Everything up to this message offset has been derived. */
  readonly throughOffset: number;
  readonly appended: readonly AppendedRows[];
  /** What happened on the way; numbered when it is committed. */
  readonly events?: readonly NewEvent[];
  /** What is added to each counter. */
  readonly counters: Readonly<Record<string, number>>;
  readonly meta?: Readonly<Record<string, string>>;
  /** Feature state that covers everything up to `throughOffset`. */
  readonly checkpoint?: Uint8Array;
}

/** The streams whose rows carry message offsets: with them in the lake, all that a message said is there. */
const MESSAGE_STREAMS = ["readings", "labels", "quarantine"] as const;

const SCHEMA = `
  ${MARK_SCHEMA};
  ${COUNTER_SCHEMA};
  CREATE TABLE IF NOT EXISTS checkpoint (only INTEGER PRIMARY KEY CHECK (only = 1), through INTEGER NOT NULL, body BLOB NOT NULL);
  ${PENDING_SCHEMA}
  ${OUTBOX_SCHEMA}
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
  readonly #marks: Marks;
  readonly #counters: Counters;
  readonly #pending: Pending;
  readonly #outbox: Outbox;
  readonly #lakeFile: SqliteFile;
  readonly #lakeMarks: Marks;
  #decodedThrough: number;

  private constructor(options: StateStoreOptions, file: SqliteFile, lakeFile: SqliteFile) {
    this.#clock = options.clock;
    this.#path = join(options.dir, "state.db");
    this.#file = file;
    this.#marks = new Marks(file);
    this.#counters = new Counters(file);
    this.#pending = new Pending(file);
    this.#outbox = new Outbox(file);
    this.#lakeFile = lakeFile;
    this.#lakeMarks = new Marks(lakeFile);
    const startedFrom = this.#lakeThrough();
    this.#file.transaction(() => {
      if (this.#marks.text("epoch") !== undefined) return;
      this.#marks.set("epoch", newUuid());
      // Its first batches begin at 0 all the same, so that the lake sees an epoch without a gap.
      this.#marks.set("decoded", startedFrom);
    })();
    this.epoch = present(this.#marks.text("epoch"), "a state file has an epoch");
    this.#decodedThrough = this.#marks.number("decoded", -1);
  }

  /** Opens or makes the state. Throws PipelineError "buffer.unwritable", "buffer.disk_full". */
  static open(options: StateStoreOptions): StateStore {
    const { dir, log } = options;
    makeFolder(dir);
    const lakeFile = openOrReplace(log, join(dir, "marks.db"), (path) => {
      const file = openChecked(path);
      file.exec(MARK_SCHEMA);
      return file;
    });
    try {
      return openOrReplace(log, join(dir, "state.db"), (path) => {
        const file = openChecked(path);
        try {
          file.exec(SCHEMA);
          return new StateStore(options, file, lakeFile);
        } catch (cause) {
          file.close();
          throw sqliteError(cause, `cannot use ${path}`);
        }
      });
    } catch (error) {
      lakeFile.close();
      throw error;
    }
  }

  /** The last message offset that everything was derived from; -1 before the first. */
  get decodedThrough(): number {
    return this.#decodedThrough;
  }

  /** Durable when it returns. */
  commitStep(step: Step): void {
    const { throughOffset, checkpoint } = step;
    assert(throughOffset >= this.#decodedThrough, "a step does not go back");
    const atUs = this.#clock.nowUs();
    const appended = [...step.appended, ...this.#eventRows(step.events ?? [])];
    const counted = this.#transaction(() => {
      this.#writeRows(appended, atUs);
      for (const [key, value] of Object.entries(step.meta ?? {}))
        if (this.meta(key) !== value) this.#marks.set(`meta.${key}`, value);
      if (checkpoint !== undefined)
        this.#file
          .prepare("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?)")
          .run(throughOffset, checkpoint);
      this.#marks.set("decoded", throughOffset);
      return this.#counters.write(step.counters);
    });
    this.#decodedThrough = throughOffset;
    this.#counters.remember(counted);
    this.#pending.remember(appended, atUs);
  }

  /**
   * Tells the lake of what happened outside of a step: damage, an import, data that was given up. Events get the next
   * numbers of their stream here, and nowhere else, so any part of the worker thread may call it between two steps;
   * what they tell of must be durable before. The counters are added in the same transaction. Durable when it returns.
   */
  appendEvents(events: readonly NewEvent[], counters: Readonly<Record<string, number>> = {}): void {
    this.commitStep({ throughOffset: this.#decodedThrough, appended: [], events, counters });
  }

  #eventRows(events: readonly NewEvent[]): readonly AppendedRows[] {
    if (events.length === 0) return [];
    const from = this.nextSeq("events");
    const numbered = events.map((event, i) => ({ ...event, seq: from + i }));
    const to = from + events.length - 1;
    return [{ stream: "events", from, to, rows: events.length, chunk: encodeChunk("events", numbered) }];
  }

  #writeRows(appended: readonly AppendedRows[], atUs: number): void {
    this.#pending.write(appended, atUs);
    for (const { stream, to } of appended) if (isNumbered(stream)) this.#marks.set(`seq.${stream}`, to + 1);
  }

  checkpoint(): { readonly throughOffset: number; readonly bytes: Uint8Array } | undefined {
    const row = this.#file.prepare("SELECT through, body FROM checkpoint").get() as
      { through: number; body: Buffer } | undefined;
    return row === undefined ? undefined : { throughOffset: row.through, bytes: row.body };
  }

  /** The number of the next row of a stream that numbers its own rows. */
  nextSeq(stream: NumberedStream): number {
    return this.#marks.number(`seq.${stream}`, 0);
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters.values();
  }

  meta(key: string): string | undefined {
    return this.#marks.text(`meta.${key}`);
  }

  pending(stream: Stream): PendingAmount {
    return this.#pending.amount(stream);
  }

  /** Whole chunks, oldest first, up to `rowsMax` rows, but at least one where there is any. */
  readPending(stream: Stream, rowsMax: number): PendingChunks {
    return this.#pending.read(stream, rowsMax);
  }

  /** In one transaction: the batch is in the outbox, encoded once and for all, and its chunks are no longer pending. */
  seal(batch: SealedBatch, ids: readonly number[]): void {
    this.#transaction(() => {
      this.#outbox.write(batch);
      this.#pending.remove(ids);
      this.#marks.set(`sealed.${batch.stream}`, batch.to);
    });
    this.#pending.recount(batch.stream);
  }

  /** Batches that the lake does not have yet, oldest first. */
  peekOutbox(limit: number, stream: Stream): readonly OutboxBatch[] {
    return this.#outbox.read(stream, limit);
  }

  /** The lake has the batch: forget it. */
  markDelivered(id: number): void {
    const end = this.#outbox.end(id);
    if (end === undefined) return; // Delivered before.
    this.#transaction(() => {
      this.#outbox.remove(id);
      this.#marks.set(`delivered.${end.stream}`, end.to);
    });
    const through = this.deliveredOffset();
    if (through > this.#lakeThrough()) this.#lakeMarks.set("delivered", through);
  }

  /** The last message offset of which every reading, label and quarantined value is in the lake. */
  deliveredOffset(): number {
    const through = MESSAGE_STREAMS.map((stream) =>
      this.pending(stream).rows === 0 && this.sealedThrough(stream) === this.deliveredThrough(stream)
        ? this.#decodedThrough
        : this.deliveredThrough(stream),
    );
    return Math.min(...through);
  }

  /** What is remembered of it outside of the state file. */
  #lakeThrough(): number {
    return this.#lakeMarks.number("delivered", -1);
  }

  /** The last offset that is in a batch; -1 before the first. */
  sealedThrough(stream: Stream): number {
    return this.#marks.number(`sealed.${stream}`, -1);
  }

  /** The last offset that the lake has; -1 before the first. */
  deliveredThrough(stream: Stream): number {
    return this.#marks.number(`delivered.${stream}`, -1);
  }

  /** What waits in the outbox. */
  outbox(): { readonly batches: number; readonly bytes: number } {
    return this.#outbox.totals();
  }

  diskBytes(): number {
    const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return size(this.#path) + size(`${this.#path}-wal`);
  }

  close(): void {
    this.#file.close();
    this.#lakeFile.close();
  }

  #transaction<T>(work: () => T): T {
    try {
      return this.#file.transaction(work)(); // Durable from here: SQLite has synced to disk.
    } catch (cause) {
      throw cause instanceof PipelineError ? cause : sqliteError(cause, `cannot write to ${this.#path}`);
    }
  }
}
