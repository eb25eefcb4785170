import type { Stream } from "@sluice/shared/contract/stream.ts";
import { present } from "@sluice/shared/runtime/assert.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError, recoveryOf } from "@sluice/shared/runtime/errors.ts";
import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { Random } from "@sluice/shared/runtime/random.ts";
import { backoffMs } from "@sluice/shared/runtime/retry.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { addSent, type DaySent, readDaySent, sentToday, writeDaySent } from "./day-sent.ts";
import { deliver, DIVERGED, within } from "./deliver.ts";
import { type GateRules, gateRules, type Held, heldBy } from "./gate.ts";
import type { OutboxBatch, PendingStore, WaitingBatch } from "./pending-store.ts";
import { pacedUntilUs, type SealMode } from "./plan.ts";
import type { EncodeBatch } from "./seal.ts";
import { Sealer } from "./sealer.ts";
import type { SyncSettings } from "./settings.ts";
import { NO_AMOUNT, plus, type UplinkFailure, type UplinkStats } from "./uplink-stats.ts";

export interface UplinkOptions {
  readonly settings: SyncSettings;
  readonly gateway: string;
  readonly store: ObjectStore;
  readonly pending: PendingStore;
  readonly encode: EncodeBatch;
  /** Proves that the store keeps its promises: called before the first upload until it succeeds. */
  readonly prove?: () => Promise<void>;
  /** How long after a reading came every window over it is closed; left out, at once. */
  readonly settleUs?: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Called once when the uplink cannot go on: the buffer fails, or a promise of ours is broken. */
  readonly failed: (error: Error) => void;
}

/** What one upload can fail with without the next one being bound to fail too. */
const OF_THE_BATCH: readonly string[] = ["store.refused", "store.invalid_key", "store.invalid_metadata"];

/**
 * Brings rows to the lake: makes batches when they are due, and uploads the outbox until the lake has it.
 *
 * A batch is stored before its first upload and never encoded again after it; an upload may happen twice and counts
 * once. Several uploads may be under way, but what the lake has is noted in the order of a stream's batches, because
 * the buffer takes all before it for delivered. Whatever the lake does, nothing else of the gateway waits for it: rows
 * and batches wait in the buffer.
 */
export class Uplink implements Part {
  readonly name = "sync";
  readonly #options: UplinkOptions;
  readonly #rules: GateRules;
  readonly #sealer: Sealer;
  readonly #halt = new AbortController();
  #loop: Promise<void> | undefined;
  #sealing: Promise<void> = Promise.resolve();
  #pumping: Promise<void> | undefined;
  #wake = new AbortController();
  #lake: UplinkStats["lake"] = "unknown";
  #delivered = NO_AMOUNT;
  #proved = false;
  #failedUploads = 0;
  #diverged = 0;
  #failuresInRow = 0;
  #failedAtUs = -Infinity;
  #retryAtUs = 0;
  #pacedUntilUs = 0;
  /** What is under way counts. */
  #sent: DaySent;
  /** Batches whose uploads are under way. */
  readonly #flying = new Map<number, Promise<void>>();
  /** Batches that the lake has, and that wait for an older one of their stream to be noted. */
  readonly #landed = new Set<number>();
  /** Batches that are left alone until then, so that they do not hold up the others. */
  readonly #aside = new Map<number, number>();
  #lastError: UplinkFailure | undefined;
  #lastDeliveredAtUs: number | undefined;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#rules = gateRules(options.settings);
    this.#sealer = new Sealer(options);
    this.#sent = readDaySent(options.pending.deliveryNote());
  }

  async start(): Promise<void> {
    this.#loop ??= this.#run();
  }

  /** Makes it look now whether a batch is due. */
  nudge(): void {
    this.#wake.abort();
  }

  /**
   * Makes batches of all pending rows and uploads until nothing is left that may be sent now, the lake fails, or
   * `deadlineMs` is over. Returns whether every batch is in the lake.
   */
  async flush(deadlineMs: number): Promise<boolean> {
    const { clock, pending } = this.#options;
    const failedBefore = this.#failedUploads;
    const deadline = new AbortController();
    const late = clock.sleep(deadlineMs, deadline.signal).then(() => "late" as const);
    this.#retryAtUs = 0;
    this.#failedAtUs = -Infinity;
    await this.#sealDue(() => "all");
    const isUnderWay = (): boolean => this.#flying.size > 0 || this.#next() !== undefined;
    while (isUnderWay() && this.#failedUploads === failedBefore && !this.#halt.signal.aborted) {
      if ((await Promise.race([this.#pump(), late])) === "late") break;
    }
    deadline.abort();
    return !this.#halt.signal.aborted && pending.outbox().batches === 0;
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
    const { pending, settings, clock } = this.#options;
    const errors = [this.#lastError, this.#sealer.lastError].filter((error) => error !== undefined);
    return {
      lake: this.#lake,
      sealed: this.#sealer.sealed,
      delivered: this.#delivered,
      pendingRows: settings.uploadOrder.reduce((rows, stream) => rows + pending.pending(stream).rows, 0),
      waiting: pending.outbox(),
      held: this.#held(),
      day: {
        sentBytes: sentToday(this.#sent, clock.nowUs()).bytes,
        bytesMax: settings.bandwidthBytesPerDayMax,
      },
      failedUploads: this.#failedUploads,
      divergedBatches: this.#diverged,
      lastError: errors.toSorted((a, b) => b.atUs - a.atUs)[0],
      lastDeliveredAtUs: this.#lastDeliveredAtUs,
    };
  }

  async #run(): Promise<void> {
    const { clock, settings } = this.#options;
    while (!this.#halt.signal.aborted) {
      this.#wake = new AbortController();
      await this.#sealDue((stream) => this.#modeOf(stream));
      // Not awaited here, so that batches go on being made while an upload hangs; `stop` awaits it.
      void this.#pump();
      await clock.sleep(settings.pollMs, this.#wake.signal);
    }
  }

  /** What cannot be sent soon is made into batches that are full. */
  #modeOf(stream: Stream): SealMode {
    return this.#lake === "away" || this.#heldNow({ stream, bytes: 0 }) !== undefined ? "full" : "live";
  }

  /** Ends the uplink because what it rests on is broken. What is on disk goes on after the next start. */
  #break(error: unknown): void {
    if (this.#halt.signal.aborted) return;
    this.#halt.abort();
    this.#wake.abort();
    this.#options.failed(error instanceof Error ? error : new Error(String(error)));
  }

  /** Makes the batches that are due; one call after the other. */
  #sealDue(modeOf: (stream: Stream) => SealMode): Promise<void> {
    this.#sealing = this.#sealing
      .then(() => this.#sealer.seal(modeOf, this.#halt.signal))
      .catch((error: unknown) => this.#break(error));
    return this.#sealing;
  }

  /** Uploads until nothing is left that may be tried now; one at a time, however often it is called. */
  #pump(): Promise<void> {
    this.#pumping ??= this.#upload()
      .catch((error: unknown) => this.#break(error))
      .finally(() => {
        this.#pumping = undefined;
      });
    return this.#pumping;
  }

  async #upload(): Promise<void> {
    const { clock, settings } = this.#options;
    const halt = this.#halt.signal;
    for (;;) {
      const waitUs = this.#pacedUntilUs - clock.monotonicUs();
      if (waitUs > 0) await clock.sleep(waitUs / 1_000, halt);
      const batch =
        halt.aborted || clock.monotonicUs() < this.#retryAtUs || this.#flying.size >= this.#uploadsMax()
          ? undefined
          : this.#next();
      if (batch !== undefined) {
        this.#launch(batch);
        continue;
      }
      if (this.#flying.size === 0) return;
      // Meanwhile something urgent may become due.
      const look = new AbortController();
      await Promise.race([...this.#flying.values(), clock.sleep(settings.pollMs, look.signal)]);
      look.abort();
    }
  }

  /** One, until the lake has answered: a link that is away is not tried by several at once. */
  #uploadsMax(): number {
    return this.#lake === "reached" ? this.#options.settings.uploadsMax : 1;
  }

  #launch(batch: WaitingBatch): void {
    const { clock, settings } = this.#options;
    const startedUs = clock.monotonicUs();
    this.#sent = addSent(this.#sent, batch.bytes, clock.nowUs());
    this.#pacedUntilUs = pacedUntilUs(startedUs, batch.bytes, settings.bandwidthBytesPerSecondMax);
    const flight = this.#send(batch, startedUs)
      .catch((error: unknown) => this.#break(error))
      .finally(() => this.#flying.delete(batch.id));
    this.#flying.set(batch.id, flight);
  }

  async #send(batch: WaitingBatch, startedUs: number): Promise<void> {
    const { clock, settings } = this.#options;
    const halt = this.#halt.signal;
    try {
      const sent = await within(this.#deliver(batch), { clock, ms: settings.uploadTimeoutMs, stop: halt });
      if (halt.aborted) return;
      this.#landed.add(batch.id);
      this.#noteDelivery(sent);
    } catch (error) {
      if (halt.aborted) return;
      this.#noteFailure(batch, error, startedUs);
    }
    this.#noteLanded(batch.stream);
  }

  /** Returns what was sent. */
  async #deliver({ id }: WaitingBatch): Promise<OutboxBatch> {
    const { store, pending, prove } = this.#options;
    if (!this.#proved) await prove?.();
    this.#proved = true;
    // Meanwhile it may have been thinned out for room; once it is tried, it is not.
    const asItIs = present(pending.beginUpload(id), "only an upload takes a batch from the outbox");
    await deliver(store, asItIs);
    return asItIs;
  }

  /** Lets the buffer forget what the lake has, the oldest first, up to the first batch that it may not have. */
  #noteLanded(stream: Stream): void {
    const { pending } = this.#options;
    const note = writeDaySent(this.#sent);
    for (const { id } of pending.waitingBatches(this.#landed.size + this.#aside.size, stream)) {
      if (this.#landed.delete(id)) pending.markDelivered(id, { note, isPast: this.#sealer.isPast });
      else if (!this.#aside.has(id)) return;
    }
  }

  /** The batch to upload next: by stream in the order of the settings, the oldest first, of those that may be sent now. */
  #next(): WaitingBatch | undefined {
    const nowUs = this.#options.clock.monotonicUs();
    for (const [id, untilUs] of this.#aside) if (untilUs <= nowUs) this.#aside.delete(id);
    for (const stream of this.#options.settings.uploadOrder) {
      const batch = this.#oldest(stream);
      if (batch !== undefined && this.#heldNow(batch) === undefined) return batch;
    }
    return undefined;
  }

  /** The oldest batch of a stream that is not taken care of. */
  #oldest(stream: Stream): WaitingBatch | undefined {
    const taken = [this.#aside, this.#landed, this.#flying];
    const limit = taken.reduce((sum, { size }) => sum + size, 1);
    const waiting = this.#options.pending.waitingBatches(limit, stream);
    // No more than may be under way overtake one that hangs: were the state damaged now, those would come twice.
    const first = waiting
      .filter(({ id }) => !this.#aside.has(id))
      .slice(0, this.#options.settings.uploadsMax);
    return first.find(({ id }) => !taken.some((ids) => ids.has(id)));
  }

  #heldNow(batch: { readonly stream: Stream; readonly bytes: number }): Held | undefined {
    return heldBy(this.#rules, batch, { sent: this.#sent, nowUs: this.#options.clock.nowUs() });
  }

  /** Of several reasons the one of the stream that goes first. */
  #held(): UplinkStats["held"] {
    const found = this.#options.settings.uploadOrder.flatMap((stream) => {
      const batch = this.#oldest(stream);
      const held = batch === undefined ? undefined : this.#heldNow(batch);
      return held === undefined ? [] : [{ stream, held }];
    });
    const [first] = found;
    return first && { ...first.held, streams: found.map(({ stream }) => stream) };
  }

  #noteDelivery(batch: OutboxBatch): void {
    const { log, clock, gateway } = this.#options;
    if (this.#lake === "away")
      log.info({ gateway, failures: this.#failuresInRow }, "the lake can be reached again");
    this.#lake = "reached";
    this.#failuresInRow = 0;
    this.#retryAtUs = 0;
    this.#failedAtUs = -Infinity;
    this.#delivered = plus(this.#delivered, batch);
    this.#lastDeliveredAtUs = clock.nowUs();
  }

  #noteFailure(batch: WaitingBatch, error: unknown, startedUs: number): void {
    if (!(error instanceof PipelineError) || error.code === "buffer.damaged") throw error;
    const { log, clock, settings } = this.#options;
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
    this.#backOff(batch, startedUs);
    this.#lake = "away";
    if (!isNews) return;
    if (recoveryOf(error) === "retry") log.warn(fields, `uploads wait: ${describeError(error)}`);
    else log.error(fields, `uploads wait until this is mended: ${describeError(error)}`);
  }

  #backOff(batch: WaitingBatch, startedUs: number): void {
    const { clock, random, settings } = this.#options;
    // A link that is away takes no bytes: of the tries that fail one after the other only the first counts for the day.
    if (this.#failuresInRow > 0) this.#sent = addSent(this.#sent, -batch.bytes, clock.nowUs());
    // Uploads that were under way together fail together: that is one failure.
    if (startedUs <= this.#failedAtUs) return;
    this.#failedAtUs = clock.monotonicUs();
    const backoff = { baseMs: settings.retryBaseMs, maxMs: settings.retryMaxMs };
    this.#retryAtUs = this.#failedAtUs + backoffMs(backoff, this.#failuresInRow, random) * 1_000;
    this.#failuresInRow += 1;
  }
}
