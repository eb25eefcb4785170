import { landedReadings } from "@sluice/shared/codec/landed-readings.ts";
import { decodeLanding } from "@sluice/shared/codec/landing.ts";
import { decodeChunk, encodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import type { AppendedRows } from "./buffer/pending.ts";
import type { StateStore } from "./buffer/state-store.ts";
import type { Past } from "./features/feature-stage.ts";

/** Most readings that a new view is given of the past: about a fifth of a second for it, in which live ones wait. */
const BACKFILL_READINGS_MAX = 500_000;

/** Most views whose beginning a buffer remembers. */
const BEGUN_MAX = 1_000;

const BEGUN = "views.begun";

/** What is needed of the state for the past of a view. */
type PastStore = Pick<StateStore, "pending" | "readPending" | "newestBatches" | "meta">;

/**
 * The readings that the buffer still holds, as they were decoded: what a view begins with that this buffer has never had.
 * One that comes again, or whose state is lost, begins with the next message, because its windows of the past have
 * vectors already.
 *
 * Readings that the lake does not have yet, in batches or not, are the newest without a gap, with the bits that it gets:
 * the newest BACKFILL_READINGS_MAX of them, in whole batches.
 */
export function pastReadings(state: PastStore): Past {
  const begun = new Set(hashesBegun(state));
  const isTooMuch = state.pending("readings").rows > BACKFILL_READINGS_MAX;
  const pending = state.readPending("readings", isTooMuch ? 0 : BACKFILL_READINGS_MAX);
  const batches = isTooMuch ? [] : state.newestBatches("readings", BACKFILL_READINGS_MAX - pending.rows);
  const hasPast = !isTooMuch && pending.rows + batches.length > 0;
  return {
    sinceOffset: batches[0]?.from ?? pending.from,
    *blocks() {
      for (const { body } of batches) yield landedReadings(decodeLanding("readings", body));
      for (const chunk of pending.chunks) yield decodeChunk("readings", chunk);
    },
    isFor: (hash) => hasPast && !begun.has(hash),
  };
}

/** What to remember once these views have begun. */
export function begunMeta(
  state: Pick<StateStore, "meta">,
  hashes: readonly string[],
): Readonly<Record<string, string>> {
  const others = hashesBegun(state).filter((hash) => !hashes.includes(hash));
  return { [BEGUN]: [...others, ...hashes].slice(-BEGUN_MAX).join(" ") };
}

const hashesBegun = (state: Pick<StateStore, "meta">): readonly string[] =>
  (state.meta(BEGUN) ?? "").split(" ").filter((hash) => hash !== "");

/** Vectors as rows to commit; of none, none. */
export function appendedVectors(vectors: readonly StoredVector[]): readonly AppendedRows[] {
  const [first, last] = [vectors[0], vectors.at(-1)];
  if (first === undefined || last === undefined) return [];
  const chunk = encodeChunk("features", vectors);
  return [{ stream: "features", from: first.seq, to: last.seq, rows: vectors.length, chunk }];
}
