import { isNumbered, type Stream } from "@sluice/shared/contract/stream.ts";
import type { PendingRows } from "./pending-store.ts";

export interface BatchLimits {
  readonly batchRowsMax: number;
  readonly batchBytesMax: number;
  readonly batchAgeMs: number;
  /** How long rows must have waited before they may be in a batch at all. */
  readonly holdUs: number;
}

/**
 * When a batch is made: "live" when it is full or its oldest row has waited long enough; "full" only when it is
 * full, because the lake is away and large batches cost less; "all" whatever there is, because the gateway stops.
 */
export type SealMode = "live" | "full" | "all";

/** Whether a batch of these rows is to be made now. */
export function isDue(pending: PendingRows, limits: BatchLimits, mode: SealMode, nowUs: number): boolean {
  if (pending.rows === 0) return false;
  if (limits.holdUs > 0) return isDueAfterHold(pending, limits, mode, nowUs);
  if (mode === "all" || pending.rows >= limits.batchRowsMax || pending.bytes >= limits.batchBytesMax)
    return true;
  if (mode === "full" || pending.oldestAtUs === undefined) return false;
  // A wall clock that was set back makes rows look as if they came from the future: those are due too.
  return Math.abs(nowUs - pending.oldestAtUs) >= limits.batchAgeMs * 1_000;
}

/** How many of the rows have waited long enough is not known: when the oldest have, and have filled a batch's age. */
function isDueAfterHold(
  { rows, oldestAtUs }: PendingRows,
  { holdUs, batchAgeMs, batchRowsMax }: BatchLimits,
  mode: SealMode,
  nowUs: number,
): boolean {
  const waitedUs = oldestAtUs === undefined ? Infinity : Math.abs(nowUs - oldestAtUs);
  if (mode === "all") return waitedUs >= holdUs;
  return waitedUs >= holdUs + batchAgeMs * 1_000 && (mode === "live" || rows >= batchRowsMax);
}

/** The offsets that are known when a batch is made. */
export interface RangeFacts {
  readonly stream: Stream;
  readonly sealedThrough: number;
  readonly decodedThrough: number;
  /** What the chunks themselves cover. */
  readonly from: number;
  readonly to: number;
  /** Whether the chunks are all that is pending. */
  readonly isLast: boolean;
}

/**
 * The range that a batch covers: it begins where the last one ended, so that ranges have no gaps.
 *
 * Streams that are numbered by message reach up to `decodedThrough` when nothing else is pending, because the
 * messages after the last chunk have no rows in this stream.
 */
export function planRange(facts: RangeFacts): { readonly from: number; readonly to: number } {
  const from = facts.sealedThrough + 1;
  const to = !isNumbered(facts.stream) && facts.isLast ? Math.max(facts.to, facts.decodedThrough) : facts.to;
  return { from, to };
}

/** Until when the next upload waits when one of `bytes` begins at `startedUs`, so that the cap is kept on average. */
export function pacedUntilUs(
  startedUs: number,
  bytes: number,
  bytesPerSecondMax: number | undefined,
): number {
  return bytesPerSecondMax === undefined ? startedUs : startedUs + (bytes / bytesPerSecondMax) * 1_000_000;
}
