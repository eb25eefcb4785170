import { isBackfillEpoch } from "@sluice/shared/contract/backfill.ts";
import { compareText } from "./order.ts";

/** A buffer that vectors of a view come from, and when the first of them was known. */
export interface Source {
  readonly gateway: string;
  readonly epoch: string;
  readonly firstKnownUs: number;
}

/**
 * Sources from the weakest to the strongest: of several that have vectors of the same window the last one's counts.
 *
 * What a gateway computed and served is stronger than what was back-filled; of two buffers the one that came into
 * being later is; then the names decide. A vector that becomes known later never changes the order of sources that
 * were known before. Pure.
 */
export const rankSources = <S extends Source>(sources: readonly S[]): readonly S[] =>
  sources.toSorted(
    (a, b) =>
      strength(a) - strength(b) ||
      a.firstKnownUs - b.firstKnownUs ||
      compareText(a.gateway, b.gateway) ||
      compareText(a.epoch, b.epoch),
  );

const strength = ({ epoch }: Source): number => (isBackfillEpoch(epoch) ? 0 : 1);
