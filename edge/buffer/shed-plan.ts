import type { Stream } from "@sluice/shared/contract/stream.ts";

/** What to do when the disk budget is reached: give up the least valuable readings, or take no more messages. */
export type WhenFull = "shed" | "refuse";

/** A batch that was never sent. `settled`: the windows over its rows are closed, so it is known which are anomalous. */
export interface BatchFacts {
  readonly id: number;
  readonly stream: Stream;
  readonly bytes: number;
  /** One of `step` readings of each series is left: 1 is all of them, 0 none. */
  readonly step: number;
  readonly settled: boolean;
}

export interface DiskFacts {
  /** Bytes in use; pages of a file that are free count as free. */
  readonly usedBytes: number;
  readonly budgetBytes: number;
  /** Of them, raw messages whose readings are on disk a second time. */
  readonly spareRawBytes: number;
  /** Batches that were never sent, oldest first. */
  readonly batches: readonly BatchFacts[];
}

export interface ShedPolicy {
  readonly whenFull: WhenFull;
  /** Readings are thinned out to every so manieth at the most; a power of two. */
  readonly thinningMax: number;
}

export type ShedAction =
  | { readonly do: "drop-raw" }
  /** Keep one of `step` readings of each series, and all in kept windows. */
  | { readonly do: "thin"; readonly id: number; readonly step: number }
  /** Keep what lies in kept windows only. */
  | { readonly do: "drop"; readonly id: number };

/** Share of the budget at which room is made: what comes in meanwhile must fit into the rest. */
const HIGH_SHARE = 0.9;

/** Share of the budget down to which room is made: so that it is not made again at once. */
const LOW_SHARE = 0.8;

/** Batches smaller than this stay as they are: the record of what was given up would take as much. */
const WORTHWHILE_BYTES_MIN = 4_096;

/**
 * What is given up for room, in this order, after raw messages whose readings are on disk a second time.
 *
 * Raw readings are the bulk, and half of them still show what happened. A vector can be computed again from readings.
 * What is not in this list is never given up: a prediction is what people acted on; events say what was given up;
 * labels and quarantine are there once and small. When only they are left, new messages are refused.
 */
export const SHED_ORDER: readonly {
  readonly stream: Stream;
  readonly how: "thin" | "drop";
  readonly settled: boolean;
}[] = [
  { stream: "readings", how: "thin", settled: true },
  { stream: "readings", how: "drop", settled: true },
  { stream: "readings", how: "thin", settled: false },
  { stream: "readings", how: "drop", settled: false },
  { stream: "features", how: "drop", settled: true },
  { stream: "features", how: "drop", settled: false },
];

/** The streams of which something can be given up. */
export const SHED_STREAMS: readonly Stream[] = [...new Set(SHED_ORDER.map(({ stream }) => stream))];

/** What may be used before readings are given up, or messages refused. */
export const roomUntilBytes = (budgetBytes: number, whenFull: WhenFull): number =>
  whenFull === "shed" ? budgetBytes * HIGH_SHARE : budgetBytes;

export const isAboveHigh = ({
  usedBytes,
  budgetBytes,
}: Pick<DiskFacts, "usedBytes" | "budgetBytes">): boolean => usedBytes > budgetBytes * HIGH_SHARE;

export const isAboveLow = ({
  usedBytes,
  budgetBytes,
}: Pick<DiskFacts, "usedBytes" | "budgetBytes">): boolean => usedBytes > budgetBytes * LOW_SHARE;

/**
 * What to give up so that the disk is used below the low mark again; nothing while it is used below the high one. Pure.
 *
 * How much an action frees is an estimate: whoever acts looks again at the disk. Every batch is thinned to half before
 * any is thinned to a quarter, the oldest first, so that history loses its detail evenly and never in one piece.
 */
export function planShedding(facts: DiskFacts, policy: ShedPolicy): readonly ShedAction[] {
  if (!isAboveHigh(facts)) return [];
  let excessBytes = facts.usedBytes - facts.budgetBytes * LOW_SHARE;
  const actions: ShedAction[] = [];
  if (facts.spareRawBytes > 0) {
    actions.push({ do: "drop-raw" });
    excessBytes -= facts.spareRawBytes;
  }
  if (policy.whenFull === "refuse") return actions;
  const left = facts.batches.map((batch) => ({ ...batch }));
  for (const { stream, how, settled } of SHED_ORDER) {
    const own = left.filter((batch) => batch.stream === stream && batch.settled === settled);
    for (const step of how === "thin" ? thinningSteps(policy.thinningMax) : [0])
      for (const batch of own) {
        if (excessBytes <= 0) return actions;
        if (!isWorthwhile(batch, step)) continue;
        actions.push(step === 0 ? { do: "drop", id: batch.id } : { do: "thin", id: batch.id, step });
        const bytesLeft = step === 0 ? 0 : (batch.bytes * batch.step) / step;
        excessBytes -= batch.bytes - bytesLeft;
        batch.bytes = bytesLeft;
        batch.step = step;
      }
  }
  return actions;
}

/** 2, 4, … up to the most. */
function thinningSteps(thinningMax: number): readonly number[] {
  const steps: number[] = [];
  for (let step = 2; step <= thinningMax; step *= 2) steps.push(step);
  return steps;
}

function isWorthwhile({ step, bytes }: Pick<BatchFacts, "step" | "bytes">, wanted: number): boolean {
  if (step === 0 || bytes < WORTHWHILE_BYTES_MIN) return false;
  return wanted === 0 || step < wanted;
}
