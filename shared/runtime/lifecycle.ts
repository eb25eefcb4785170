import type { Clock } from "./clock.ts";
import { describeError } from "./errors.ts";
import type { Log } from "./log.ts";

/** A part that runs. `stop` may be called twice and drains what it has accepted. */
export interface Part {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts parts in the given order (the lake end first) and stops them in the reverse (the MQTT end first).
 *
 * When one fails to start, those already started are stopped and its error is thrown. `stop` waits for each part at
 * most until the deadline and returns the names of those that were late.
 */
export class Lifecycle {
  readonly #parts: readonly Part[];
  readonly #clock: Clock;
  readonly #log: Log;
  #started: Part[] = [];

  constructor(parts: readonly Part[], clock: Clock, log: Log) {
    this.#parts = parts;
    this.#clock = clock;
    this.#log = log;
  }

  async start(): Promise<void> {
    for (const part of this.#parts) {
      this.#started.push(part);
      try {
        await part.start();
      } catch (error) {
        await this.stop(5_000);
        throw error;
      }
    }
  }

  async stop(deadlineMs: number): Promise<readonly string[]> {
    const late: string[] = [];
    const endUs = this.#clock.monotonicUs() + deadlineMs * 1_000;
    const started = this.#started;
    this.#started = [];
    for (const part of started.toReversed()) {
      const leftMs = Math.max(0, (endUs - this.#clock.monotonicUs()) / 1_000);
      const timer = new AbortController();
      const outcome = await Promise.race([
        part.stop().then(
          () => "stopped" as const,
          (error: unknown) => {
            this.#log.error({ part: part.name }, `stopping failed: ${describeError(error)}`);
            return "failed" as const;
          },
        ),
        this.#clock.sleep(leftMs, timer.signal).then(() => "late" as const),
      ]);
      timer.abort();
      if (outcome === "late") late.push(part.name);
    }
    return late;
  }
}
