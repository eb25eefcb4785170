import type { Clock } from "@sluice/shared/runtime/clock.ts";

/**
 * A look that costs something, at most once in `forMs` however many ask: who asks meanwhile gets what was seen last, and
 * who asks while somebody looks waits for the same look. One that failed is not remembered.
 */
export function remembered<T>(
  look: () => Promise<T>,
  { forMs, clock }: { readonly forMs: number; readonly clock: Pick<Clock, "monotonicUs"> },
): () => Promise<T> {
  let latest: { readonly seen: Promise<T>; untilUs: number } | undefined;
  return () => {
    if (latest !== undefined && clock.monotonicUs() < latest.untilUs) return latest.seen;
    const looking = { seen: look(), untilUs: Infinity };
    latest = looking;
    looking.seen.then(
      () => (looking.untilUs = clock.monotonicUs() + forMs * 1_000),
      () => (looking.untilUs = -Infinity),
    );
    return looking.seen;
  };
}
