import type { BreakerSettings } from "@sluice/shared/contract/device-contract.ts";

/** The definition of a breaker: looks at the last values, all of which it keeps. */
export class ModelBreaker {
  readonly #settings: BreakerSettings;
  readonly #all: boolean[] = [];
  isOpen = false;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
  }

  judge(isViolation: boolean): "opened" | "closed" | undefined {
    const { windowReadings, violationShareMax, closeShareMax = violationShareMax / 2 } = this.#settings;
    this.#all.push(isViolation);
    const share = this.#all.slice(-windowReadings).filter(Boolean).length / windowReadings;
    if (!this.isOpen && share > violationShareMax) {
      this.isOpen = true;
      return "opened";
    }
    if (this.isOpen && share <= closeShareMax) {
      this.isOpen = false;
      return "closed";
    }
    return undefined;
  }
}

/**
 * A rate's limit said the other way: a bucket that leaks one microsecond a microsecond, into which each reading pours
 * an interval. Rates whose interval is whole, so that both count exactly.
 */
export class ModelRate {
  readonly #intervalUs: number;
  #levelUs = 0;
  #atUs = -Infinity;

  constructor(intervalUs: number) {
    this.#intervalUs = intervalUs;
  }

  exceeds(atUs: number): boolean {
    if (atUs < this.#atUs) return false;
    this.#levelUs = Math.max(0, this.#levelUs - (atUs - this.#atUs));
    this.#atUs = atUs;
    if (this.#levelUs > Math.max(1_000_000 - this.#intervalUs, this.#intervalUs / 2)) return true;
    this.#levelUs += this.#intervalUs;
    return false;
  }
}
