import type { Clock } from "@sluice/shared/runtime/clock.ts";

/** How often connections are looked at: a silent one is closed at most so much later than it should be. */
const CHECK_INTERVAL_MS = 500;

export interface Watched {
  check(elapsedMs: number): void;
}

/** Looks at every connection in turn, with one timer for all of them. */
export class ConnectionWatch {
  readonly #clock: Clock;
  readonly #watched = new Set<Watched>();
  readonly #stopping = new AbortController();
  #running = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(connection: Watched): void {
    this.#watched.add(connection);
  }

  delete(connection: Watched): void {
    this.#watched.delete(connection);
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let beforeUs = this.#clock.monotonicUs();
    for (;;) {
      await this.#clock.sleep(CHECK_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const nowUs = this.#clock.monotonicUs();
      // When this process did not run, what clients sent meanwhile has not been read: no time has passed for them.
      const elapsedMs = Math.min((nowUs - beforeUs) / 1_000, 2 * CHECK_INTERVAL_MS);
      beforeUs = nowUs;
      for (const connection of this.#watched) connection.check(elapsedMs);
    }
  }
}
