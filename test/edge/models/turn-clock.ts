import type { Clock } from "@sluice/shared/runtime/clock.ts";

/**
 * A clock for one loop: its time stands still while the loop works and jumps to the end of the wait when the loop
 * sleeps, so that a test goes from one turn of the loop to the next, however long the disk takes for it.
 */
export class TurnClock implements Clock {
  /** How long the loop wanted to wait after each turn. */
  readonly waitsMs: number[] = [];
  #nowUs: number;
  #wake: (() => void) | undefined;
  #asleep = Promise.withResolvers<void>();

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
    const { promise, resolve } = Promise.withResolvers<void>();
    this.waitsMs.push(ms);
    const wake = (): void => {
      this.#wake = undefined;
      this.#asleep = Promise.withResolvers<void>();
      resolve();
    };
    this.#wake = () => {
      this.#nowUs += ms * 1_000;
      wake();
    };
    signal?.addEventListener("abort", wake);
    this.#asleep.resolve();
    return promise;
  }

  /** Resolves when the loop sleeps. */
  asleep(): Promise<void> {
    return this.#asleep.promise;
  }

  /** Lets the wait pass and the loop make its next turn. */
  async turn(): Promise<void> {
    await this.asleep();
    this.#wake?.();
    await this.asleep();
  }
}
