import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { shedBatch, type ShedBatch } from "./shed-batch.ts";
import {
  type BatchFacts,
  isAboveHigh,
  isAboveLow,
  planShedding,
  roomUntilBytes,
  SHED_STREAMS,
  type ShedAction,
  type ShedPolicy,
} from "./shed-plan.ts";
import type { SegmentLog } from "./segment-log.ts";
import { sqliteError } from "./sqlite-file.ts";
import type { StateStore } from "./state-store.ts";

export interface DiskBudgetOptions {
  readonly messages: SegmentLog;
  readonly state: StateStore;
  readonly policy: ShedPolicy & { readonly diskBytesMax: number };
  /** What the rest of the buffer takes. */
  readonly otherBytes: () => number;
  /** The first raw message that a restart needs. */
  readonly neededFromOffset: () => number;
  /** Writes a checkpoint now, so that raw messages before it can go. */
  readonly checkpoint: () => void;
  /** How long after a reading came the windows over it are closed: the longest of all views. */
  readonly settleUs: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the budget says of itself. */
export interface DiskUse {
  /** Files on disk, the set-aside ones included. */
  readonly diskBytes: number;
  /** Of them, pages that are free and used next. */
  readonly freeBytes: number;
  /** Of them, raw messages that go first, because what they say is on disk a second time. */
  readonly spareRawBytes: number;
  /** Of them, files that were set aside as damaged. */
  readonly asideBytes: number;
  /** What may be used before readings are given up, or messages refused. */
  readonly roomUntilBytes: number;
  /** Whether room is wanted and nothing is left that may be given up. */
  readonly exhausted: boolean;
}

/** How long to wait before it is looked again for something to give up, after there was nothing. */
const AGAIN_AFTER_US = 1_000_000;

/** Free pages beyond this, and beyond half of those in use, are given back to the disk: others may want the room. */
const FREE_BYTES_MAX = 16_777_216;
const FREE_SHARE_MAX = 0.5;

/** Share of the budget at which files are shrunk whatever it costs, so that no message is refused for free pages. */
const SHRINK_SHARE = 0.95;

/** Bytes that are given back at once: a few milliseconds of work. Fewer than the least are not worth it. */
const SHRINK_BYTES_MAX = 4_194_304;
const SHRINK_BYTES_MIN = 524_288;

/** The longest that a batch waits for its windows to close before it may be thinned out. */
const SETTLE_US_MAX = 3_600_000_000;

/** What makes a batch one that cannot be thinned out. */
const DAMAGE: ReadonlySet<string> = new Set(["buffer.damaged", "landing.damaged"]);

/**
 * Keeps the buffer within its disk budget: what `planShedding` says, one small piece at a time.
 *
 * What is given up and the record of it become durable together, so that rows, and what was shed, add up at any
 * instant. A batch that was ever sent stays as it is. Raw messages go first, when everything that follows from them is
 * on disk and in a checkpoint; the newest stay, by which redeliveries are recognised after a restart.
 */
export class DiskBudget {
  readonly #options: DiskBudgetOptions;
  #actions: ShedAction[] = [];
  #lookAgainAtUs = 0;
  #exhausted = false;
  /** Batches that cannot be read. */
  readonly #damaged = new Set<number>();

  constructor(options: DiskBudgetOptions) {
    this.#options = options;
  }

  /**
   * Gives up one piece, where room is wanted; returns whether there is more to do at once.
   *
   * Throws PipelineError "buffer.disk_full" where the disk itself is full, before its budget.
   */
  keep(): boolean {
    const { clock, policy } = this.#options;
    const { diskBytes, freeBytes } = this.use();
    const facts = { usedBytes: diskBytes - freeBytes, budgetBytes: policy.diskBytesMax };
    if (this.#shrink(diskBytes)) return true;
    if (this.#actions.length === 0) {
      this.#exhausted &&= isAboveHigh(facts);
      if (!isAboveHigh(facts) || clock.monotonicUs() < this.#lookAgainAtUs) return false;
      this.#plan(facts);
    }
    const action = isAboveLow(facts) ? this.#actions.shift() : undefined;
    if (action === undefined) {
      this.#actions = [];
      return false;
    }
    this.#do(action);
    return true;
  }

  /** Makes what room costs nothing: for when the disk is full before its budget is reached. */
  dropSpareRaw(): void {
    this.#do({ do: "drop-raw" });
  }

  use(): DiskUse {
    const { messages, state, otherBytes, policy } = this.#options;
    const { diskBytes, freeBytes } = state.space();
    const asideBytes = messages.asideBytes + state.asideBytes;
    return {
      diskBytes: messages.diskBytes + diskBytes + asideBytes + otherBytes(),
      freeBytes,
      spareRawBytes: this.#spareRaw().bytes,
      asideBytes,
      roomUntilBytes: roomUntilBytes(policy.diskBytesMax, policy.whenFull),
      exhausted: this.#exhausted,
    };
  }

  #plan(facts: { readonly usedBytes: number; readonly budgetBytes: number }): void {
    const { policy, clock } = this.#options;
    const spareRawBytes = this.#spareRawAfterCheckpoint();
    this.#actions = [...planShedding({ ...facts, spareRawBytes, batches: this.#batches() }, policy)];
    if (this.#actions.length === 0) this.#lookAgainAtUs = clock.monotonicUs() + AGAIN_AFTER_US;
    if (this.#actions.length === 0 && !this.#exhausted)
      this.#options.log.warn(
        { usedBytes: facts.usedBytes, budgetBytes: facts.budgetBytes },
        "the disk budget is nearly used up and nothing is left that may be given up: soon messages are refused",
      );
    this.#exhausted = this.#actions.length === 0;
  }

  #batches(): readonly BatchFacts[] {
    const { state, clock } = this.#options;
    const settleUs = Math.min(this.#options.settleUs(), SETTLE_US_MAX);
    const nowUs = clock.nowUs();
    return SHED_STREAMS.flatMap((stream) => state.untriedBatches(stream))
      .filter(({ id }) => !this.#damaged.has(id))
      .map(({ id, stream, bytes, step, sealedAtUs }) => ({
        id,
        stream,
        bytes,
        step,
        // A clock that was set back makes a batch look as if it came from the future.
        settled: Math.abs(nowUs - sealedAtUs) >= settleUs,
      }));
  }

  #do(action: ShedAction): void {
    const { messages, log } = this.#options;
    if (action.do !== "drop-raw") {
      this.#shed(action.id, action.do === "thin" ? action.step : 0);
      return;
    }
    const { bytes, throughOffset } = this.#spareRaw();
    if (bytes === 0) return;
    messages.prune(throughOffset);
    log.info({ bytes, throughOffset }, "raw messages were dropped for room; what they say is on disk");
  }

  #shed(id: number, step: number): void {
    const { state, log } = this.#options;
    const shed = this.#withoutRows(id, step);
    if (shed === undefined) return;
    state.rewriteUntried(shed.batch, shed);
    for (const { detail, count } of shed.events) log.warn({ key: shed.batch.key, count }, detail);
  }

  /** A batch with fewer rows; undefined where it was sent or thinned out meanwhile, or is damaged, which is said once. */
  #withoutRows(id: number, step: number): ShedBatch | undefined {
    const { state, clock, log } = this.#options;
    try {
      const found = state.readUntried(id);
      if (found === undefined || (step !== 0 && found.step >= step)) return undefined;
      return shedBatch(found, {
        stepBefore: found.step,
        step,
        isKept: (device, atUs) => state.isKept(device, atUs),
        atUs: clock.nowUs(),
      });
    } catch (cause) {
      const error = sqliteError(cause, `cannot read batch ${id}`);
      // Any other failure may pass, and the batch is as good as it was.
      if (!DAMAGE.has(error.code)) throw error;
      this.#damaged.add(id); // It stays as it is; the uplink will say that it cannot be sent.
      log.error({ batch: id, code: error.code }, `a batch cannot be thinned out: ${describeError(error)}`);
      return undefined;
    }
  }

  /** Gives free pages back where there are many, or the disk is wanted for messages; before that the log's room alone. */
  #shrink(bufferBytes: number): boolean {
    const { state, policy } = this.#options;
    const { diskBytes, freeBytes } = state.space();
    const isMuch = freeBytes > Math.max(FREE_BYTES_MAX, (diskBytes - freeBytes) * FREE_SHARE_MAX);
    const isWanted = freeBytes > SHRINK_BYTES_MIN && bufferBytes > policy.diskBytesMax * SHRINK_SHARE;
    if (isMuch || isWanted) return state.releaseSpace(SHRINK_BYTES_MAX);
    const facts = { usedBytes: bufferBytes - freeBytes, budgetBytes: policy.diskBytesMax };
    return isAboveHigh(facts) && state.releaseSpace(0);
  }

  /** Bytes of raw messages that can go, after a checkpoint where that lets more of them go. */
  #spareRawAfterCheckpoint(): number {
    const { messages, state, neededFromOffset, checkpoint } = this.#options;
    const spareBytes = this.#spareRaw().bytes;
    if (messages.spare(state.decodedThrough, neededFromOffset()).bytes === spareBytes) return spareBytes;
    checkpoint();
    return this.#spareRaw().bytes;
  }

  /** Raw messages of which everything is on disk outside of the raw log, and in a checkpoint. */
  #spareRaw(): { readonly bytes: number; readonly throughOffset: number } {
    const { messages, state, neededFromOffset } = this.#options;
    return messages.spare(Math.min(state.decodedThrough, state.checkpointThrough), neededFromOffset());
  }
}
