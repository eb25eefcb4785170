import type { Series } from "../contract/reading.ts";

const LANES_MIN = 64;

/** No lane. */
export const NONE = -1;

/**
 * Which lane, a number, follows which: devices send in turns, so the next series is mostly the one that came next
 * before. To see that it is takes no look at the series, which with thousands of them has left the processor's caches.
 *
 * A memory of what was asked elsewhere, by the identity of the series' object; it holds one object for each lane.
 */
export class SeriesChain {
  #following = new Int32Array(LANES_MIN).fill(NONE);
  readonly #series: (Series | undefined)[] = [];
  #last = NONE;

  /** The lane of the series where it follows as it did before, else NONE. */
  guess(series: Series): number {
    const lane = this.#following[this.#last] ?? NONE;
    if (lane === NONE || this.#series[lane] !== series) return NONE;
    this.#last = lane;
    return lane;
  }

  /** What the lane was, where there was no guess. */
  learn(lane: number, series: Series): void {
    while (this.#series.length <= lane) this.#series.push(undefined);
    if (lane >= this.#following.length) {
      const grown = new Int32Array(2 ** Math.ceil(Math.log2(lane + 1))).fill(NONE);
      grown.set(this.#following);
      this.#following = grown;
    }
    this.#series[lane] = series;
    if (this.#last !== NONE) this.#following[this.#last] = lane;
    this.#last = lane;
  }
}
