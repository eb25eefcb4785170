/** Room for this many readings at first: a window of a minute at one per second. */
const CAPACITY_MIN = 64;

/** Fewer readings than this are a few lines of a cache. */
const GUESSED_MIN = 32;

/**
 * The readings of one metric of one device that windows may still need, ordered by event time, then arrival.
 *
 * Readings must be inserted in (offset, index) order; those of equal time stay in it. 16 bytes a reading, and up to
 * twice that while it grows.
 */
export class SortedReadings {
  #times: Float64Array;
  #values: Float64Array;
  #from = 0;
  #to = 0;

  constructor(times: Float64Array = new Float64Array(0), values: Float64Array = new Float64Array(0)) {
    this.#times = times;
    this.#values = values;
    this.#to = times.length;
  }

  get count(): number {
    return this.#to - this.#from;
  }

  /** Behind the place of the last reading. */
  get end(): number {
    return this.#to;
  }

  /** The columns; only entries that `lowerBound` points at mean anything. */
  get times(): Float64Array {
    return this.#times;
  }

  get values(): Float64Array {
    return this.#values;
  }

  /** The live entries by themselves, for a checkpoint. */
  live(): { readonly times: Float64Array; readonly values: Float64Array } {
    return {
      times: this.#times.subarray(this.#from, this.#to),
      values: this.#values.subarray(this.#from, this.#to),
    };
  }

  insert(timeUs: number, value: number): void {
    if (this.#to === this.#times.length) this.#makeRoom();
    const times = this.#times;
    const end = this.#to;
    let at = end;
    if (end > this.#from && (times[end - 1] ?? Number.NaN) > timeUs) {
      at = this.lowerBound(timeUs + 1);
      times.copyWithin(at + 1, at, end);
      this.#values.copyWithin(at + 1, at, end);
    }
    times[at] = timeUs;
    this.#values[at] = value;
    this.#to = end + 1;
  }

  /**
   * The place of the first reading at or after a time; times are whole microseconds. Sought first where it would be at
   * an even rate: the columns are larger than the processor's caches, so that each look counts.
   */
  lowerBound(timeUs: number): number {
    const times = this.#times;
    let low = this.#from;
    let high = this.#to;
    if (high - low > GUESSED_MIN) {
      const first = times[low] ?? Number.NaN;
      const last = times[high - 1] ?? Number.NaN;
      if (timeUs <= first) return low;
      if (timeUs > last) return high;
      const guess = low + Math.floor(((timeUs - first) / (last - first)) * (high - 1 - low));
      let step = 1;
      if ((times[guess] ?? Number.NaN) < timeUs) {
        low = guess + 1;
        while (low + step < high && (times[low + step] ?? Number.NaN) < timeUs) {
          low += step + 1;
          step *= 2;
        }
        high = Math.min(high, low + step);
      } else {
        high = guess;
        while (high - step > low && (times[high - step] ?? Number.NaN) >= timeUs) {
          high -= step;
          step *= 2;
        }
        low = Math.max(low, high - step);
      }
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((times[middle] ?? Number.NaN) < timeUs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The time of the first reading at or after a time; infinity where there is none. */
  nextTime(timeUs: number): number {
    const at = this.lowerBound(timeUs);
    return at < this.#to ? (this.#times[at] ?? Infinity) : Infinity;
  }

  /** The time of the last reading before a time; minus infinity where there is none. */
  previousTime(timeUs: number): number {
    const at = this.lowerBound(timeUs);
    return at > this.#from ? (this.#times[at - 1] ?? -Infinity) : -Infinity;
  }

  /** Forgets the readings before a time. */
  evict(beforeUs: number): void {
    this.#from = this.lowerBound(beforeUs);
    if (this.#from < this.#to) return;
    this.#from = 0;
    this.#to = 0;
  }

  /** Moves to the front when half is free, else to columns of twice the size. */
  #makeRoom(): void {
    const { count } = this;
    const enough = this.#from > this.#times.length / 2;
    const capacity = enough ? this.#times.length : Math.max(CAPACITY_MIN, count * 2);
    const [times, values] = enough
      ? [this.#times, this.#values]
      : [new Float64Array(capacity), new Float64Array(capacity)];
    times.set(this.#times.subarray(this.#from, this.#to));
    values.set(this.#values.subarray(this.#from, this.#to));
    this.#times = times;
    this.#values = values;
    this.#from = 0;
    this.#to = count;
  }
}
