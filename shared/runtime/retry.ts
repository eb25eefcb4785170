import type { Clock } from "./clock.ts";
import { recoveryOf } from "./errors.ts";
import type { Random } from "./random.ts";

export interface Backoff {
  /** The first wait; each further one is twice as long, up to `maxMs`, with full jitter over its upper half. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/** How long to wait before try number `attempt` (0 is the first retry). */
export function backoffMs(backoff: Backoff, attempt: number, random: Random): number {
  const ceiling = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(attempt, 30));
  return ceiling * (0.5 + random.next() / 2);
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly backoff: Backoff;
  readonly attemptsMax: number;
  readonly signal?: AbortSignal;
  readonly onRetry?: (error: unknown, waitMs: number) => void;
}

/**
 * Runs `work` until it succeeds, fails in a way that retrying cannot mend, or has had `attemptsMax` tries. Once the
 * signal aborts nothing is tried again. Throws the last try's error.
 */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isOver = (): boolean => options.signal?.aborted === true;
      if (attempt + 1 >= options.attemptsMax || isOver() || recoveryOf(error) !== "retry") throw error;
      const waitMs = backoffMs(options.backoff, attempt, options.random);
      options.onRetry?.(error, waitMs);
      await options.clock.sleep(waitMs, options.signal);
      if (isOver()) throw error;
    }
  }
}
