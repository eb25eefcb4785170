import type { Stream } from "@sluice/shared/contract/stream.ts";
import { present } from "@sluice/shared/runtime/assert.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError, recoveryOf } from "@sluice/shared/runtime/errors.ts";
import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { Random } from "@sluice/shared/runtime/random.ts";
import { backoffMs } from "@sluice/shared/runtime/retry.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { deliver, DIVERGED, within } from "./deliver.ts";
import type { OutboxBatch, PendingStore, SealedBatch } from "./pending-store.ts";
import { isDue, pacedUntilUs, type SealMode, UPLOAD_ORDER } from "./plan.ts";
import { type EncodeBatch, sealNext } from "./seal.ts";
import type { SyncSettings } from "./settings.ts";

export interface UplinkOptions {
  readonly settings: SyncSettings;
  readonly gateway: string;
  readonly store: ObjectStore;
  readonly pending: PendingStore;
  readonly encode: EncodeBatch;
  /** Proves that the store keeps its promises: called before the first upload until it succeeds. */
  readonly prove?: () => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Called once when the uplink cannot go on: the buffer fails, or a promise of ours is broken. */
  readonly failed: (error: Error) => void;
}

export interface Amount {
  readonly batches: number;
  readonly rows: number;
  readonly bytes: number;
}

export interface UplinkFailure {
  readonly code: string;
  readonly message: string;
  readonly atUs: number;
}

export interface UplinkStats {
  /** "away" while the newest upload failed. */
  readonly lake: "reached" | "away" | "unknown";
  /** Since the start. */
  readonly sealed: Amount;
  readonly delivered: Amount;
  /** Rows that are in no batch yet. */
  readonly pendingRows: number;
  /** Batches that the lake does not have yet. */
  readonly waiting: { readonly batches: number; readonly bytes: number };
  readonly failedUploads: number;
  /** Batches whose key holds other bytes in the lake; they stay in the outbox. */
  readonly divergedBatches: number;
  readonly lastError: UplinkFailure | undefined;
  readonly lastDeliveredAtUs: number | undefined;
}

/** What one upload can fail with without the next one being bound to fail too. */
const OF_THE_BATCH: readonly string[] = ["store.refused", "store.invalid_key", "store.invalid_metadata"];

const NOTHING: Amount = { batches: 0, rows: 0, bytes: 0 };

/**
 * Brings rows to the lake: makes batches when they are due, and uploads the outbox until the lake has it.
 *
 * A batch is stored before its first upload and never encoded again after it; an upload may happen twice and counts
 * once. Whatever the lake does, nothing else of the gateway waits for it: rows and batches wait in the buffer.
 */
export class Uplink implements Part {
  readonly name = "sync";
  readonly #options: UplinkOptions;
  readonly #halt = new AbortController();
  #loop: Promise<void> | undefined;
  #sealing: Promise<void> = Promise.resolve();
  #pumping: Promise<void> | undefined;
  #wake = new AbortController();
  #lake: UplinkStats["lake"] = "unknown";
  #sealed = NOTHING;
  #delivered = NOTHING;
  #proved = false;
  #failedUploads = 0;
  #diverged = 0;
  #failuresInRow = 0;
  #retryAtUs = 0;
  #pacedUntilUs = 0;
  /** Streams of which no batch could be made, and when that is tried again. */
  readonly #sealAgainAtUs = new Map<Stream, number>();
  /** Batches that are left alone until then, so that they do not hold up the others. */
  readonly #aside = new Map<number, number>();
  #lastError: UplinkFailure | undefined;
  #lastDeliveredAtUs: number | undefined;

  constructor(options: UplinkOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#loop ??= this.#run();
  }

  /** Makes it look now whether a batch is due. */
  nudge(): void {
    this.#wake.abort();
  }

  /**
   * Makes batches of all pending rows and uploads until nothing is left, the lake fails, or `deadlineMs` is over.
   * Returns whether everything that was there is in the lake.
   */
  async flush(deadlineMs: number): Promise<boolean> {
    const { clock } = this.#options;
    const failedBefore = this.#failedUploads;
    const deadline = new AbortController();
    const late = clock.sleep(deadlineMs, deadline.signal).then(() => "late" as const);
    this.#retryAtUs = 0;
    await this.#sealDue("all");
    while (this.#next() !== undefined && this.#failedUploads === failedBefore && !this.#halt.signal.aborted) {
      if ((await Promise.race([this.#pump(), late])) === "late") break;
    }
    deadline.abort();
    return !this.#halt.signal.aborted && this.#next() === undefined && this.#aside.size === 0;
  }

  /** Flushes for at most `stopFlushMs`, then ends; an upload that hangs is left, and counts as not delivered. */
  async stop(): Promise<void> {
    if (this.#loop === undefined) return;
    if (!this.#halt.signal.aborted) await this.flush(this.#options.settings.stopFlushMs);
    this.#halt.abort();
    this.#wake.abort();
    await this.#loop;
    await this.#pumping;
  }

  stats(): UplinkStats {
    const { pending } = this.#options;
    return {
      lake: this.#lake,
      sealed: this.#sealed,
      delivered: this.#delivered,
      pendingRows: UPLOAD_ORDER.reduce((rows, stream) => rows + pending.pending(stream).rows, 0),
      waiting: pending.outbox(),
      failedUploads: this.#failedUploads,
      divergedBatches: this.#diverged,
      lastError: this.#lastError,
      lastDeliveredAtUs: this.#lastDeliveredAtUs,
    };
  }

  async #run(): Promise<void> {
    const { clock, settings } = this.#options;
    while (!this.#halt.signal.aborted) {
      this.#wake = new AbortController();
      await this.#sealDue(this.#lake === "away" ? "full" : "live");
      // Not awaited here, so that batches go on being made while an upload hangs; `stop` awaits it.
      void this.#pump();
      await clock.sleep(settings.pollMs, this.#wake.signal);
    }
  }

  /** Ends the uplink because what it rests on is broken. What is on disk goes on after the next start. */
  #break(error: unknown): void {
    if (this.#halt.signal.aborted) return;
    this.#halt.abort();
    this.#wake.abort();
    this.#options.failed(error instanceof Error ? error : new Error(String(error)));
  }

  /** Makes the batches that are due; one call after the other. */
  #sealDue(mode: SealMode): Promise<void> {
    this.#sealing = this.#sealing.then(() => this.#seal(mode)).catch((error: unknown) => this.#break(error));
    return this.#sealing;
  }

  /** Lets other work of the thread go on between two batches. */
  async #seal(mode: SealMode): Promise<void> {
    const { settings, clock, pending, encode, gateway } = this.#options;
    const sealing = { store: pending, gateway, encode, batchRowsMax: settings.batchRowsMax };
    for (const stream of UPLOAD_ORDER)
      while (!this.#halt.signal.aborted && isDue(pending.pending(stream), settings, mode, clock.nowUs())) {
        if (clock.monotonicUs() < (this.#sealAgainAtUs.get(stream) ?? 0)) break;
        try {
          this.#sealed = plus(this.#sealed, sealNext(stream, sealing));
        } catch (error) {
          this.#noteUnsealed(stream, error);
        }
        await nextTurn();
      }
  }

  /** A full disk holds up the stream only; the rows stay where they are. What is damaged is not for us to contain. */
  #noteUnsealed(stream: Stream, error: unknown): void {
    if (!(error instanceof PipelineError) || error.code === "buffer.damaged") throw error;
    const { log, clock, settings } = this.#options;
    if (!this.#sealAgainAtUs.has(stream))
      log.error({ stream, code: error.code }, `no batches of ${stream} can be made: ${describeError(error)}`);
    this.#lastError = { code: error.code, message: describeError(error), atUs: clock.nowUs() };
    this.#sealAgainAtUs.set(stream, clock.monotonicUs() + settings.retryMaxMs * 1_000);
  }

  /** Uploads until nothing is left that may be tried now; one upload at a time, however often it is called. */
  #pump(): Promise<void> {
    this.#pumping ??= this.#upload()
      .catch((error: unknown) => this.#break(error))
      .finally(() => {
        this.#pumping = undefined;
      });
    return this.#pumping;
  }

  async #upload(): Promise<void> {
    const { clock, settings, pending } = this.#options;
    const halt = this.#halt.signal;
    for (;;) {
      const waitUs = this.#pacedUntilUs - clock.monotonicUs();
      if (waitUs > 0) await clock.sleep(waitUs / 1_000, halt);
      let batch = this.#next();
      if (batch === undefined || halt.aborted || clock.monotonicUs() < this.#retryAtUs) return;
      const startedUs = clock.monotonicUs();
      try {
        batch = await within(this.#deliver(batch), { clock, ms: settings.uploadTimeoutMs, stop: halt });
        pending.markDelivered(batch.id); // Only now may the buffer forget.
      } catch (error) {
        if (halt.aborted) return;
        this.#noteFailure(batch, error);
        continue;
      }
      this.#noteDelivery(batch);
      this.#pacedUntilUs = pacedUntilUs(
        startedUs,
        batch.body.byteLength,
        settings.bandwidthBytesPerSecondMax,
      );
    }
  }

  /** Returns what was sent. */
  async #deliver(batch: OutboxBatch): Promise<OutboxBatch> {
    const { store, pending, prove } = this.#options;
    if (!this.#proved) await prove?.();
    this.#proved = true;
    // Meanwhile it may have been thinned out for room; once it is tried, it is not.
    const asItIs = present(pending.beginUpload(batch.id), "only an upload takes a batch from the outbox");
    await deliver(store, asItIs);
    return asItIs;
  }

  /** The batch to upload next: by stream in UPLOAD_ORDER, the oldest first. */
  #next(): OutboxBatch | undefined {
    const { pending, clock } = this.#options;
    const nowUs = clock.monotonicUs();
    for (const [id, untilUs] of this.#aside) if (untilUs <= nowUs) this.#aside.delete(id);
    for (const stream of UPLOAD_ORDER) {
      const batches = pending.peekOutbox(this.#aside.size + 1, stream);
      const batch = batches.find((batch) => batch.stream === stream && !this.#aside.has(batch.id));
      if (batch !== undefined) return batch;
    }
    return undefined;
  }

  #noteDelivery(batch: OutboxBatch): void {
    const { log, clock, gateway } = this.#options;
    if (this.#lake === "away")
      log.info({ gateway, failures: this.#failuresInRow }, "the lake can be reached again");
    this.#lake = "reached";
    this.#failuresInRow = 0;
    this.#retryAtUs = 0;
    this.#delivered = plus(this.#delivered, batch);
    this.#lastDeliveredAtUs = clock.nowUs();
  }

  #noteFailure(batch: OutboxBatch, error: unknown): void {
    if (!(error instanceof PipelineError)) throw error;
    const { log, clock, random, settings } = this.#options;
    const fields = { key: batch.key, code: error.code };
    this.#failedUploads += 1;
    const isNews = this.#lastError?.code !== error.code || this.#lake !== "away";
    this.#lastError = { code: error.code, message: describeError(error), atUs: clock.nowUs() };
    if (error.code === DIVERGED) {
      this.#diverged += 1;
      this.#aside.set(batch.id, Number.POSITIVE_INFINITY);
      log.error(fields, describeError(error));
      return;
    }
    if (OF_THE_BATCH.includes(error.code)) {
      this.#aside.set(batch.id, clock.monotonicUs() + settings.retryMaxMs * 1_000);
      log.error(fields, describeError(error));
      return;
    }
    const backoff = { baseMs: settings.retryBaseMs, maxMs: settings.retryMaxMs };
    this.#retryAtUs = clock.monotonicUs() + backoffMs(backoff, this.#failuresInRow, random) * 1_000;
    this.#failuresInRow += 1;
    this.#lake = "away";
    if (!isNews) return;
    if (recoveryOf(error) === "retry") log.warn(fields, `uploads wait: ${describeError(error)}`);
    else log.error(fields, `uploads wait until this is mended: ${describeError(error)}`);
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const plus = (sum: Amount, batch: SealedBatch): Amount => ({
  batches: sum.batches + 1,
  rows: sum.rows + batch.rows,
  bytes: sum.bytes + batch.body.byteLength,
});
