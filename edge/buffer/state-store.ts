import { join } from "node:path";
import { encodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import { isNumbered, type NumberedStream, type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import { assert, present } from "@sluice/shared/runtime/assert.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { Bodies, checkpointPlace } from "./body.ts";
import { openChecked, openOrReplace } from "./checked-file.ts";
import { Counters } from "./counters.ts";
import { LakeMarks, MESSAGE_STREAMS } from "./lake-marks.ts";
import { Marks } from "./marks.ts";
import { type Derived, DerivedAmounts } from "./derived-amounts.ts";
import { asideBytes, diskBytesOf, type FileSpace, letShrink, shrink, spaceOf } from "./file-space.ts";
import { type Around, type IsPast, KeptWindows } from "./kept-windows.ts";
import {
  Outbox,
  type OutboxBatch,
  type RewrittenBatch,
  type SealedBatch,
  type UntriedBatch,
  type WaitingBatch,
} from "./outbox.ts";
import { type AppendedRows, Pending, type PendingAmount, type PendingChunks } from "./pending.ts";
import type { Step } from "./step.ts";
import { SyncMode } from "./sync-mode.ts";
import { STATE_SCHEMA } from "./state-schema.ts";
import { makeFolder, type SqliteFile, sqliteError } from "./sqlite-file.ts";

export interface StateStoreOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How bodies are written; with a checksum each, where nothing is said. */
  readonly bodies?: Bodies;
  /** Hears of each write that failed. */
  readonly failed?: (error: Error) => void;
}

/** What is told in the transaction of what it tells of. */
type Told = Pick<Step, "events" | "counters">;

/**
 * Everything that a gateway has derived from its messages and not yet delivered, and how far it has come.
 *
 * A step is one transaction: rows, counters and the offset that they cover become durable together or not at all, so
 * a message counts once wherever the process dies. The file's free pages are used again; it does not grow for ever.
 *
 * A damaged file is set aside and a new epoch begins, from the first message that the lake was not known to have
 * (kept in a file of its own), without the rows that it has. Features, predictions and batches under way may come twice.
 */
export class StateStore {
  readonly epoch: string;
  /** Bytes of state files that were set aside as damaged. */
  readonly asideBytes: number;
  readonly #clock: Clock;
  readonly #path: string;
  readonly #file: SqliteFile;
  readonly #sync: SyncMode;
  readonly #bodies: Bodies;
  readonly #marks: Marks;
  readonly #counters: Counters;
  readonly #pending: Pending;
  readonly #outbox: Outbox;
  readonly #kept: KeptWindows;
  readonly #amounts = new DerivedAmounts();
  readonly #lake: LakeMarks;
  #decodedThrough: number;
  #checkpointThrough: number;

  private constructor(options: StateStoreOptions, file: SqliteFile, lake: LakeMarks) {
    this.#clock = options.clock;
    this.#path = join(options.dir, "state.db");
    this.asideBytes = asideBytes(options.dir);
    this.#file = file;
    this.#sync = new SyncMode(file);
    this.#bodies = options.bodies ?? new Bodies();
    this.#marks = new Marks(file);
    this.#counters = new Counters(file);
    this.#pending = new Pending(file, this.#bodies);
    this.#outbox = new Outbox(file, this.#bodies);
    this.#kept = new KeptWindows(file, this.#bodies);
    this.#lake = lake;
    this.#file.transaction(() => {
      if (this.#marks.text("epoch") !== undefined) return;
      this.#marks.set("epoch", newUuid());
      // Its first batches begin at 0 all the same, so that the lake sees an epoch without a gap.
      this.#marks.set("decoded", lake.deliveredThrough);
    })();
    this.epoch = present(this.#marks.text("epoch"), "a state file has an epoch");
    lake.refuseOlder(this.epoch, (stream) => this.sealedThrough(stream));
    this.#decodedThrough = this.#marks.number("decoded", -1);
    // What is read before anything is delivered; the outbox may be large, and proves itself when it is sent.
    this.checkpoint();
    for (const stream of STREAMS) this.#pending.read(stream, Infinity);
    this.#checkpointThrough = Number(file.prepare("SELECT through FROM checkpoint").pluck().get() ?? -1);
  }

  /** Opens or makes the state. Throws PipelineError "buffer.unwritable", "buffer.disk_full". */
  static open(options: StateStoreOptions): StateStore {
    const { dir, log } = options;
    makeFolder(dir);
    const lake = LakeMarks.open(dir, log, options.failed);
    try {
      return openOrReplace(log, join(dir, "state.db"), (path) => {
        lake.refuseSuspect(path);
        const file = openChecked(path);
        try {
          letShrink(file);
          file.exec(STATE_SCHEMA);
          return new StateStore(options, file, lake);
        } catch (cause) {
          file.close();
          throw sqliteError(cause, `cannot use ${path}`);
        }
      });
    } catch (error) {
      lake.close();
      throw error;
    }
  }

  /** The last message offset that everything was derived from; -1 before the first. */
  get decodedThrough(): number {
    return this.#decodedThrough;
  }

  /** No message has this offset or a later one: where offsets go on when nothing is left of the messages. */
  get floorOffset(): number {
    return Math.max(this.#decodedThrough, this.#lake.newestOffset) + 1;
  }

  /** The last offset that a step may cover that begins at `from`; Infinity where it does not matter. */
  readonly stepEnd = (from: number): number => this.#lake.stepEnd(from);

  /** Durable when it returns, unless it is repeatable. */
  commitStep(step: Step): void {
    const { throughOffset, checkpoint } = step;
    assert(throughOffset >= this.#decodedThrough, "a step does not go back");
    const atUs = this.#clock.nowUs();
    const mayBeTakenBack = step.isRepeatable === true && checkpoint === undefined;
    const remember = this.#transaction(mayBeTakenBack ? "unsynced" : "synced", () => {
      for (const [key, value] of Object.entries(step.meta ?? {}))
        if (this.meta(key) !== value)
          this.#marks.set(`meta.${key}`, this.#bodies.sealText(`meta ${key}`, value));
      if (checkpoint !== undefined)
        this.#file
          .prepare("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?)")
          .run(throughOffset, this.#bodies.seal(checkpointPlace(throughOffset), checkpoint));
      this.#marks.set("decoded", throughOffset);
      const forgotten = this.#kept.write(step.kept ?? [], throughOffset);
      const counters =
        forgotten === 0 ? step.counters : { ...step.counters, "kept_windows.forgotten": forgotten };
      return this.#write({ ...step, appended: this.#lake.missing(step.appended), counters }, atUs);
    });
    remember();
    this.#decodedThrough = throughOffset;
    if (checkpoint !== undefined) this.#checkpointThrough = throughOffset;
  }

  /** Writes rows, events and counters inside of a transaction; what is returned tells memory once it is durable. */
  #write({ appended, events = [], counters }: Pick<Step, "appended" | "events" | "counters">, atUs: number) {
    const rows = [...appended, ...this.#eventRows(events)];
    this.#pending.write(rows, atUs);
    for (const { stream, to } of rows) if (isNumbered(stream)) this.#marks.set(`seq.${stream}`, to + 1);
    const counted = this.#counters.write(counters);
    return (): void => {
      this.#counters.remember(counted);
      this.#pending.remember(rows, atUs);
      this.#amounts.appended(rows);
    };
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

  /** The last message offset that the checkpoint covers; -1 before the first. */
  get checkpointThrough(): number {
    return this.#checkpointThrough;
  }

  /** Throws PipelineError "buffer.damaged" where it is not what was stored. */
  checkpoint(): { readonly throughOffset: number; readonly bytes: Uint8Array } | undefined {
    const row = this.#file.prepare("SELECT through, body FROM checkpoint").get() as
      { through: number; body: Buffer } | undefined;
    if (row === undefined) return undefined;
    return { throughOffset: row.through, bytes: this.#bodies.open(checkpointPlace(row.through), row.body) };
  }

  /** The number of the next row of a stream that numbers its own rows. */
  nextSeq(stream: NumberedStream): number {
    return this.#marks.number(`seq.${stream}`, 0);
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters.values();
  }

  meta(key: string): string | undefined {
    const stored = this.#marks.text(`meta.${key}`);
    return stored === undefined ? undefined : this.#bodies.openText(`meta ${key}`, stored);
  }

  pending(stream: Stream): PendingAmount {
    return this.#pending.amount(stream);
  }

  /** As `Pending.read`. */
  readPending(stream: Stream, rowsMax: number, isReady?: (storedAtUs: number) => boolean): PendingChunks {
    return this.#orSuspect(() => this.#pending.read(stream, rowsMax, isReady));
  }

  /**
   * In one transaction: the batch is in the outbox, encoded, its chunks are no longer pending, and it is told what it leaves
   * out. Nobody has heard of it: a power cut may take it back, until it is to be sent or a later commit is synced.
   */
  seal(batch: SealedBatch, ids: readonly number[], told: Told = { counters: {} }): void {
    const atUs = this.#clock.nowUs();
    this.#transaction("unsynced", () => {
      this.#outbox.write(batch, atUs);
      this.#pending.remove(ids);
      this.#marks.set(`sealed.${batch.stream}`, batch.to);
      return this.#write({ appended: [], ...told }, atUs);
    })();
    this.#pending.recount(batch.stream);
    this.#amounts.sealed(batch);
  }

  /** Batches that the lake does not have yet, oldest first. */
  peekOutbox(limit: number, stream: Stream): readonly OutboxBatch[] {
    return this.#orSuspect(() => this.#outbox.read(stream, limit));
  }

  /** The same without their bytes. */
  waitingBatches(limit: number, stream: Stream): readonly WaitingBatch[] {
    return this.#orSuspect(() => this.#outbox.waiting(stream, limit));
  }

  /** The newest batches that the lake does not have, without a gap up to the pending rows; oldest first, at most so many rows. */
  newestBatches(stream: Stream, rowsMax: number): readonly OutboxBatch[] {
    return this.#orSuspect(() => this.#outbox.readThrough(stream, this.sealedThrough(stream), rowsMax));
  }

  /**
   * The batch as it is now, to be sent. Durable when it returns: it was tried, so its bytes never change again, because
   * the lake may have them whatever comes of it. Undefined where it is delivered.
   */
  beginUpload(id: number): OutboxBatch | undefined {
    const batch = this.#orSuspect(() => this.#outbox.readOne(id));
    if (batch === undefined) return undefined;
    // In this order: a state that does not know of a batch that was sent counts as damaged.
    if (this.#outbox.untriedStep(id) !== undefined)
      this.#transaction("synced", () => this.#outbox.markTried(id));
    this.#lake.setSent(this.epoch, batch.stream, batch.to);
    return batch;
  }

  /** Batches of a stream that were never sent, oldest first. */
  untriedBatches(stream: Stream): readonly UntriedBatch[] {
    return this.#outbox.untried(stream);
  }

  /** A batch with its bytes; undefined where it was sent meanwhile. Throws PipelineError "buffer.damaged". */
  readUntried(id: number): RewrittenBatch | undefined {
    const step = this.#outbox.untriedStep(id);
    const batch = step === undefined ? undefined : this.#outbox.readOne(id);
    return step === undefined || batch === undefined ? undefined : { ...batch, step };
  }

  /** In one transaction: the batch, which was never sent, has fewer rows, and it is told which are gone. */
  rewriteUntried(batch: RewrittenBatch, told: Told): void {
    assert(this.#outbox.untriedStep(batch.id) !== undefined, `batch ${batch.key} was never sent`);
    this.#transaction("synced", () => {
      this.#outbox.rewrite(batch);
      return this.#write({ appended: [], ...told }, this.#clock.nowUs());
    })();
  }

  /** Whether a reading lies in, or so much around, a window whose readings must stay. */
  isKept(device: string, atUs: number, around?: Around): boolean {
    return this.#kept.holds(device, atUs, around);
  }

  /** What was last noted with a delivery. */
  deliveryNote(): string | undefined {
    return this.#marks.text("delivery.note");
  }

  /** The lake has the batch: forget it. Where a power cut takes that back, the lake says again that it has the batch. */
  markDelivered(id: number, more: { readonly note?: string; readonly isPast?: IsPast } = {}): void {
    const end = this.#outbox.end(id);
    if (end === undefined) return; // Delivered before.
    this.#lake.setStream(end.stream, end.to);
    this.#transaction("unsynced", () => {
      this.#outbox.remove(id);
      this.#marks.set(`delivered.${end.stream}`, end.to);
      if (more.note !== undefined) this.#marks.set("delivery.note", more.note);
      if (end.stream === "readings") this.#kept.forgetDelivered(end.to, more.isPast);
    });
    this.#lake.setDelivered(this.deliveredOffset());
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

  /** The last offset that is in a batch; -1 before the first. */
  sealedThrough(stream: Stream): number {
    return this.#marks.number(`sealed.${stream}`, -1);
  }

  /** The last offset that the lake has; -1 before the first. */
  deliveredThrough(stream: Stream): number {
    return this.#marks.number(`delivered.${stream}`, -1);
  }

  outbox(): { readonly batches: number; readonly bytes: number } {
    return this.#outbox.totals();
  }

  /** Batches of readings that may still be thinned out, by how far they are. */
  thinnable(): readonly { readonly step: number; readonly bytes: number }[] {
    return this.#outbox.untriedReadings();
  }

  /** What was derived since the start, and what a row of it weighs. */
  derived(): Derived {
    const readings = this.pending("readings").rows;
    const other = STREAMS.reduce((sum, stream) => sum + this.pending(stream).rows, -readings);
    return this.#amounts.amounts({ readings, other });
  }

  /** Bytes of rows and batches that were written since the start. */
  get writtenBytes(): number {
    return this.#amounts.writtenBytes;
  }

  diskBytes(): number {
    return diskBytesOf(this.#path);
  }

  space(): FileSpace {
    return spaceOf(this.#file);
  }

  /** Gives the write-ahead log and up to so many bytes of free pages back; returns whether there was anything to give. */
  releaseSpace(bytesMax: number): boolean {
    try {
      return shrink(this.#file, Math.min(bytesMax, this.space().freeBytes));
    } catch (cause) {
      throw sqliteError(cause, `cannot shrink ${this.#path}`);
    }
  }

  close(): void {
    this.#file.close();
    this.#lake.close();
  }

  /** Durable when it returns, and all before it; unsynced, with the next one that is synced. */
  #transaction<T>(sync: "synced" | "unsynced", work: () => T): T {
    this.#sync.set(sync === "synced");
    try {
      return this.#orSuspect(() => this.#file.transaction(work)());
    } catch (error) {
      this.#kept.reload(); // The transaction may have got as far as to change them.
      throw error;
    }
  }

  /** Damage is remembered outside of the damaged file: the next start begins a new epoch and does not stop here again. */
  #orSuspect<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw this.#lake.noteStateFailure(sqliteError(cause, `cannot use ${this.#path}`));
    }
  }
}
