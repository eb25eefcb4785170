import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { PendingStore } from "./pending-store.ts";
import { isDue, type SealMode } from "./plan.ts";
import { holdBackUs, ReadingChooser } from "./reading-policy.ts";
import { type EncodeBatch, sealNext } from "./seal.ts";
import type { SyncSettings } from "./settings.ts";
import { type Amount, NO_AMOUNT, plus, type UplinkFailure } from "./uplink-stats.ts";

export interface SealerOptions {
  readonly settings: SyncSettings;
  readonly gateway: string;
  readonly pending: PendingStore;
  readonly encode: EncodeBatch;
  /** How long after a reading came every window over it is closed; left out, at once. */
  readonly settleUs?: (() => number) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Makes batches of rows when they are due, stream by stream, a few milliseconds of work at a time. */
export class Sealer {
  readonly #options: SealerOptions;
  readonly #chooser: ReadingChooser;
  readonly #startedUs: number;
  /** Streams of which no batch could be made, and when that is tried again. */
  readonly #againAtUs = new Map<Stream, number>();
  #sealed = NO_AMOUNT;
  #lastError: UplinkFailure | undefined;

  constructor(options: SealerOptions) {
    const { settings, pending, clock } = options;
    this.#options = options;
    this.#chooser = new ReadingChooser(settings.readings, (device, atUs, around) =>
      pending.isKept(device, atUs, around),
    );
    this.#startedUs = clock.monotonicUs();
  }

  get sealed(): Amount {
    return this.#sealed;
  }

  get lastError(): UplinkFailure | undefined {
    return this.#lastError;
  }

  /** Whether no reading that follows can belong to an anomaly that ended then. */
  readonly isPast = (device: string, toUs: number): boolean => this.#chooser.isPast(device, toUs);

  /** Makes what is due. Lets other work of the thread go on between two batches. Throws when the buffer fails. */
  async seal(modeOf: (stream: Stream) => SealMode, halt: AbortSignal): Promise<void> {
    // Events last: batches of readings tell what they leave out.
    const order = this.#options.settings.uploadOrder.filter((stream) => stream !== "events");
    for (const stream of [...order, "events"] as const)
      while (!halt.aborted && this.#isDue(stream, modeOf(stream))) {
        if (!this.#sealOne(stream)) break;
        await nextTurn();
      }
  }

  #isDue(stream: Stream, mode: SealMode): boolean {
    const { settings, clock, pending } = this.#options;
    if (clock.monotonicUs() < (this.#againAtUs.get(stream) ?? 0)) return false;
    const holdUs = stream === "readings" ? this.#holdUs() : 0;
    if (holdUs > 0 && clock.monotonicUs() - this.#startedUs < holdUs) return false;
    return isDue(pending.pending(stream), { ...settings, holdUs }, mode, clock.nowUs());
  }

  #holdUs(): number {
    const { settings, settleUs } = this.#options;
    return holdBackUs(settings.readings, settleUs?.() ?? 0);
  }

  /** Returns whether a batch was made. */
  #sealOne(stream: Stream): boolean {
    const { settings, clock, pending, encode, gateway } = this.#options;
    const [nowUs, holdUs] = [clock.nowUs(), this.#holdUs()];
    try {
      const batch = sealNext(stream, {
        store: pending,
        gateway,
        encode,
        batchRowsMax: settings.batchRowsMax,
        choice: {
          policy: settings.readings,
          chooser: this.#chooser,
          // Where the wall clock was set back, rows look as if they came from the future: they do not wait for ever.
          isReady: (storedAtUs) => Math.abs(nowUs - storedAtUs) >= holdUs,
          nowUs,
        },
      });
      if (batch === undefined) return false;
      this.#sealed = plus(this.#sealed, batch);
      return true;
    } catch (error) {
      this.#noteUnsealed(stream, error);
      return false;
    }
  }

  /** A full disk holds up the stream only; the rows stay where they are. What is damaged is not for us to contain. */
  #noteUnsealed(stream: Stream, error: unknown): void {
    if (!(error instanceof PipelineError) || error.code === "buffer.damaged") throw error;
    const { log, clock, settings } = this.#options;
    if (!this.#againAtUs.has(stream))
      log.error({ stream, code: error.code }, `no batches of ${stream} can be made: ${describeError(error)}`);
    this.#lastError = { code: error.code, message: describeError(error), atUs: clock.nowUs() };
    this.#againAtUs.set(stream, clock.monotonicUs() + settings.retryMaxMs * 1_000);
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
