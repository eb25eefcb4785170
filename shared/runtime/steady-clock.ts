import type { Clock } from "./clock.ts";

/**
 * A clock whose wall time does not go back, unless it was set back by more than `stepMinMs`.
 *
 * A slewed clock, or one that is read with changing precision, can say a little less than a moment ago: what is stamped
 * with it would then seem to have come before what it came after. Until it has caught up it stands still instead.
 */
export function steadyClock(clock: Clock, stepMinMs: number): Clock {
  const stepMinUs = stepMinMs * 1_000;
  let newestUs = -Infinity;
  return {
    nowUs: () => {
      const nowUs = clock.nowUs();
      newestUs = newestUs - nowUs > stepMinUs ? nowUs : Math.max(newestUs, nowUs);
      return newestUs;
    },
    monotonicUs: () => clock.monotonicUs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
}
