import type { BreakerSettings } from "@sluice/shared/contract/device-contract.ts";

/** What a breaker remembers: its window as base64, one bit a value, its size, and where the next one goes. */
export interface BreakerState {
  readonly size: number;
  readonly window: string;
  readonly next: number;
  readonly isOpen: boolean;
}

/**
 * Judges a device by its last values: open while too many of them broke the contract.
 *
 * The window slides by one with each value; values that have not come yet count as good, so a device that begins with
 * nonsense is caught as soon as there is enough of it, and one bad value at the start is not a share of 100 %. It
 * opens when the share passes `violationShareMax` and closes when the share has come down to `closeShareMax`: the
 * distance between the two keeps it from flapping. Memory: one bit for each value of the window.
 */
export class Breaker {
  readonly windowReadings: number;
  /** It opens when the share of violations is larger. */
  readonly openAbove: number;
  readonly #closeAt: number;
  readonly #window: Uint8Array;
  #next = 0;
  #violations = 0;
  #isOpen = false;

  constructor({ windowReadings, violationShareMax, closeShareMax }: BreakerSettings) {
    this.windowReadings = windowReadings;
    this.openAbove = violationShareMax;
    this.#closeAt = closeShareMax ?? violationShareMax / 2;
    this.#window = new Uint8Array(Math.ceil(windowReadings / 8));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** How many values of the window broke the contract. */
  get violations(): number {
    return this.#violations;
  }

  /** The share of the window that broke the contract. */
  get share(): number {
    return this.#violations / this.windowReadings;
  }

  /** Takes the next value. Says so where this one opened or closed it. */
  judge(isViolation: boolean): "opened" | "closed" | undefined {
    const at = this.#next >> 3;
    const bit = 1 << (this.#next & 7);
    const byte = this.#window[at] ?? 0;
    const wasViolation = (byte & bit) !== 0;
    this.#next = this.#next + 1 === this.windowReadings ? 0 : this.#next + 1;
    if (wasViolation !== isViolation) {
      this.#window[at] = byte ^ bit;
      this.#violations += isViolation ? 1 : -1;
    }
    if (!this.#isOpen && this.share > this.openAbove) {
      this.#isOpen = true;
      return "opened";
    }
    if (this.#isOpen && this.share <= this.#closeAt) {
      this.#isOpen = false;
      return "closed";
    }
    return undefined;
  }

  state(): BreakerState {
    const window = Buffer.from(this.#window).toString("base64");
    return { size: this.windowReadings, window, next: this.#next, isOpen: this.#isOpen };
  }

  /**
   * Goes on from a state, as the first thing. A window of another size is begun anew; whether it was open is kept, so
   * that its end is told.
   */
  restore({ size, window, next, isOpen }: BreakerState): void {
    this.#isOpen = isOpen;
    if (size !== this.windowReadings) return;
    const bits = Buffer.from(window, "base64");
    this.#window.set(bits);
    this.#next = next;
    for (const byte of bits) for (let left = byte; left !== 0; left &= left - 1) this.#violations += 1;
  }
}
