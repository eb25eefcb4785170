import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { STEP_MESSAGES_MAX } from "./pipeline.ts";

/** The least that a message waits for its step, so that a few groups share one state commit and flash lasts longer. */
export const WAIT_MS_MIN = 20;

/** The longest: what a prediction is later by at the most while much comes. */
export const WAIT_MS_MAX = 100;

/** How many times longer than the last step took the next one waits: what a step costs by itself is then next to nothing. */
const WAITS_PER_STEP = 20;

/**
 * When the next step is due: later the longer steps take, at once where a whole one is waiting. Nobody's acknowledgement
 * waits for a step.
 */
export class StepPace {
  readonly #clock: Clock;
  #waitMs = WAIT_MS_MIN;
  #waiting: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Does a step and remembers how long it took. */
  timed<T>(step: () => T): T {
    const beganUs = this.#clock.monotonicUs();
    const result = step();
    const tookMs = (this.#clock.monotonicUs() - beganUs) / 1_000;
    this.#waitMs = Math.min(WAIT_MS_MAX, Math.max(WAIT_MS_MIN, Math.round(WAITS_PER_STEP * tookMs)));
    return result;
  }

  /** Resolves when the step is due for which so many messages wait by now. */
  async due(messages: number): Promise<void> {
    if (messages >= STEP_MESSAGES_MAX) return;
    this.#waiting = new AbortController();
    await this.#clock.sleep(this.#waitMs, this.#waiting.signal);
    this.#waiting = undefined;
  }

  /** So many messages wait by now. */
  waiting(messages: number): void {
    if (messages >= STEP_MESSAGES_MAX) this.#waiting?.abort();
  }
}
