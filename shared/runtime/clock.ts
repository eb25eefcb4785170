import { setTimeout as delay } from "node:timers/promises";

/** The only door to time. Wall time can jump; monotonic time cannot, and counts from an arbitrary start. */
export interface Clock {
  /** Whole microseconds since the epoch, UTC. */
  nowUs(): number;
  /** Whole microseconds since some moment of this boot. */
  monotonicUs(): number;
  /** Resolves after `ms` milliseconds, or at once when the signal aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowUs: () => Math.round((performance.timeOrigin + performance.now()) * 1_000 + wallStepUs()),
  monotonicUs: () => Math.round(performance.now() * 1_000),
  sleep: async (ms, signal) => {
    if (signal?.aborted === true) return;
    await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  },
};

/** How far the wall clock has been stepped since the process began; whole milliseconds, 0 while it is not. */
function wallStepUs(): number {
  const stepMs = Date.now() - (performance.timeOrigin + performance.now());
  return Math.abs(stepMs) < 2 ? 0 : stepMs * 1_000;
}

/** A clock for tests and simulation: time moves only by `advance`, which wakes the sleepers in order. */
export class SimulatedClock implements Clock {
  #nowUs: number;
  #sleepers: { readonly wakeUs: number; readonly wake: () => void }[] = [];

  constructor(startUs: number) {
    this.#nowUs = startUs;
  }

  nowUs(): number {
    return this.#nowUs;
  }

  monotonicUs(): number {
    return this.#nowUs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = { wakeUs: this.#nowUs + ms * 1_000, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      });
    });
  }

  /** Moves time on by `ms`, letting everything that wakes on the way run before going further. */
  async advance(ms: number): Promise<void> {
    const endUs = this.#nowUs + ms * 1_000;
    for (;;) {
      const next = this.#sleepers
        .filter((sleeper) => sleeper.wakeUs <= endUs)
        .sort((a, b) => a.wakeUs - b.wakeUs)[0];
      if (next === undefined) break;
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      this.#nowUs = Math.max(this.#nowUs, next.wakeUs);
      next.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#nowUs = endUs;
  }
}

export const isoTime = (us: number): string => new Date(us / 1_000).toISOString();

/** Microseconds since the epoch of an ISO 8601 time; NaN where it is not one. */
export const parseIsoUs = (text: string): number => Date.parse(text) * 1_000;
