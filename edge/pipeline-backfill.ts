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

/**
 * The readings that the buffer still holds, as they were decoded: what a view begins with that this buffer has never had.
 * One that comes again, or whose state is lost, begins with the next message, because its windows of the past have
 * vectors already.
 *
 * Readings that wait to be sent are the newest without a gap, with the bits that the lake gets. Where there are more than
 * BACKFILL_READINGS_MAX none are taken.
 */
export function pastReadings(state: Pick<StateStore, "pending" | "readPending" | "meta">): Past {
  const { rows } = state.pending("readings");
  const begun = new Set(hashesBegun(state));
  const hasPast = rows > 0 && rows <= BACKFILL_READINGS_MAX;
  const { from, chunks } = hasPast
    ? state.readPending("readings", BACKFILL_READINGS_MAX)
    : { from: 0, chunks: [] };
  return {
    sinceOffset: from,
    blocks: () => chunks.map((chunk) => decodeChunk("readings", chunk)),
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
