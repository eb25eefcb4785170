import { decodeChunk, encodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import type { AppendedRows } from "./buffer/pending.ts";
import type { StateStore } from "./buffer/state-store.ts";

/** Most readings that a new view is given of the past: about a fifth of a second for it, in which live ones wait. */
const BACKFILL_READINGS_MAX = 500_000;

/** The readings that the buffer still holds, as they were decoded: what a view that is added begins with. */
export interface PastReadings {
  /** The first message that they are of; where there are none, the next one. */
  readonly sinceOffset: number;
  /** All of them up to the last message that was decoded; read when first asked for. */
  readonly blocks: () => Iterable<ReadingBlock>;
}

/**
 * Readings that wait to be sent are the newest without a gap, with the bits that the lake gets. Where there are more than
 * BACKFILL_READINGS_MAX none are taken: the view then begins with the next message.
 */
export function pastReadings(
  state: Pick<StateStore, "pending" | "readPending" | "decodedThrough">,
): PastReadings {
  const none: PastReadings = { sinceOffset: state.decodedThrough + 1, blocks: () => [] };
  const { rows } = state.pending("readings");
  if (rows === 0 || rows > BACKFILL_READINGS_MAX) return none;
  const { from, chunks } = state.readPending("readings", BACKFILL_READINGS_MAX);
  return { sinceOffset: from, blocks: () => chunks.map((chunk) => decodeChunk("readings", chunk)) };
}

/** Vectors as rows to commit; of none, none. */
export function appendedVectors(vectors: readonly StoredVector[]): readonly AppendedRows[] {
  const [first, last] = [vectors[0], vectors.at(-1)];
  if (first === undefined || last === undefined) return [];
  const chunk = encodeChunk("features", vectors);
  return [{ stream: "features", from: first.seq, to: last.seq, rows: vectors.length, chunk }];
}
