const SECOND_US = 1_000_000;

/** What a rate remembers: the newest event time, and until when what came so far fills the rate. */
export interface MetricRateState {
  readonly newestUs: number;
  readonly filledUntilUs: number;
}

/**
 * Tells which readings of a metric come faster than its contract allows, by event time.
 *
 * A leaky bucket (the generic cell rate algorithm of ITU-T I.371, annex A): over any span of event time it passes what
 * the rate allows, plus one second's worth at once, or half an interval of jitter where that is more. What it refuses
 * does not count. By event time, so that a device that sends a backlog after an outage breaks no promise; a reading
 * older than the newest is not judged, because it says nothing about the present rate.
 */
export class MetricRate {
  readonly #intervalUs: number;
  readonly #toleranceUs: number;
  #newestUs: number;
  #filledUntilUs: number;

  constructor(rateMaxHz: number, { newestUs, filledUntilUs }: MetricRateState) {
    this.#intervalUs = SECOND_US / rateMaxHz;
    this.#toleranceUs = Math.max(SECOND_US - this.#intervalUs, this.#intervalUs / 2);
    this.#newestUs = newestUs;
    this.#filledUntilUs = filledUntilUs;
  }

  /** Takes the next reading, by its event time. */
  exceeds(measuredAtUs: number): boolean {
    if (measuredAtUs < this.#newestUs) return false;
    this.#newestUs = measuredAtUs;
    const filledUntilUs = Math.max(this.#filledUntilUs, measuredAtUs);
    if (filledUntilUs - measuredAtUs > this.#toleranceUs) return true;
    this.#filledUntilUs = filledUntilUs + this.#intervalUs;
    return false;
  }

  state(): MetricRateState {
    return { newestUs: this.#newestUs, filledUntilUs: this.#filledUntilUs };
  }
}
