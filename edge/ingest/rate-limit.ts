/** A rate with room for a burst. */
export interface Rate {
  readonly perS: number;
  /** The most that may come at once after a pause. */
  readonly burst: number;
}

/**
 * A token bucket that may go into debt: what has already come is paid for by waiting, never by dropping it.
 *
 * Times are monotonic microseconds.
 */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #filledAtUs: number;

  constructor(rate: Rate, nowUs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAtUs = nowUs;
  }

  /** Takes `amount` and returns for how many milliseconds nothing more is to be taken: 0 while the rate is kept. */
  spend(amount: number, nowUs: number): number {
    this.#fill(nowUs);
    this.#tokens -= amount;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#rate.perS) * 1_000);
  }

  /** Takes `amount` only where it is there. */
  tryTake(amount: number, nowUs: number): boolean {
    this.#fill(nowUs);
    if (this.#tokens < amount) return false;
    this.#tokens -= amount;
    return true;
  }

  giveBack(amount: number): void {
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + amount);
  }

  /** Whether it is as full as it was when it was made, so that it need not be remembered. */
  isFull(nowUs: number): boolean {
    this.#fill(nowUs);
    return this.#tokens >= this.#rate.burst;
  }

  #fill(nowUs: number): void {
    const { perS, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((nowUs - this.#filledAtUs) / 1_000_000) * perS);
    this.#filledAtUs = nowUs;
  }
}

export interface PublishRateLimits {
  /** Undefined: no limit. A burst is what comes in one second. */
  readonly publishMessagesPerS?: number | undefined;
  readonly publishBytesPerS?: number | undefined;
}

/**
 * Keeps one client's publishes to a rate by telling for how long its socket is not to be read: TCP then slows the
 * client down, and nothing is lost.
 */
export class PublishRate {
  readonly #messages: TokenBucket | undefined;
  readonly #bytes: TokenBucket | undefined;

  constructor({ publishMessagesPerS, publishBytesPerS }: PublishRateLimits, nowUs: number) {
    if (publishMessagesPerS !== undefined)
      this.#messages = new TokenBucket({ perS: publishMessagesPerS, burst: publishMessagesPerS }, nowUs);
    if (publishBytesPerS !== undefined)
      this.#bytes = new TokenBucket({ perS: publishBytesPerS, burst: publishBytesPerS }, nowUs);
  }

  get isLimited(): boolean {
    return this.#messages !== undefined || this.#bytes !== undefined;
  }

  /** Counts publishes that were read; returns for how many milliseconds reading is to pause, 0 for not at all. */
  spend(messages: number, bytes: number, nowUs: number): number {
    return Math.max(this.#messages?.spend(messages, nowUs) ?? 0, this.#bytes?.spend(bytes, nowUs) ?? 0);
  }
}
