import { isNumbered, type Stream } from "@sluice/shared/contract/stream.ts";
import type { PendingRows } from "./pending-store.ts";

/** What goes first: what people wait for before what only history needs, and the bulk last. */
export const UPLOAD_ORDER: readonly Stream[] = [
  "predictions",
  "events",
  "features",
  "labels",
  "quarantine",
  "readings",
];

export interface BatchLimits {
  readonly batchRowsMax: number;
  readonly batchBytesMax: number;
  readonly batchAgeMs: number;
}

/**
 * When a batch is made: "live" when it is full or its oldest row has waited long enough; "full" only when it is
 * full, because the lake is away and large batches cost less; "all" whatever there is, because the gateway stops.
 */
export type SealMode = "live" | "full" | "all";

/** Whether a batch of these rows is to be made now. */
export function isDue(pending: PendingRows, limits: BatchLimits, mode: SealMode, nowUs: number): boolean {
  if (pending.rows === 0) return false;
  if (mode === "all" || pending.rows >= limits.batchRowsMax || pending.bytes >= limits.batchBytesMax)
    return true;
  if (mode === "full" || pending.oldestAtUs === undefined) return false;
  // A wall clock that was set back makes rows look as if they came from the future: those are due too.
  return Math.abs(nowUs - pending.oldestAtUs) >= limits.batchAgeMs * 1_000;
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

/** Until when the next upload waits so that `bytes` sent since `startedUs` stay under the cap. */
export function pacedUntilUs(
  startedUs: number,
  bytes: number,
  bytesPerSecondMax: number | undefined,
): number {
  return bytesPerSecondMax === undefined ? startedUs : startedUs + (bytes / bytesPerSecondMax) * 1_000_000;
}
