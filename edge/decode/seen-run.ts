/** Out-of-order readings that are gathered before they are merged: bounds what one of them costs. */
const TAIL_MAX = 128;

const CAPACITY_MIN = 8;

/** What a run says of a reading: the same was seen, another value of the same time was, or nothing of that time. */
export type Sighting = "same" | "other" | "none";

/**
 * The distinct readings (time, value) of one series, 16 bytes each and up to twice that while it grows.
 *
 * A reading that is newer than all others is appended; others are gathered and merged, so that the order in which a
 * device sends cannot make it slow. Values are compared by their bits: 0 and -0 are two.
 */
export class SeenRun {
  /** By time, then value, up to `#sorted`; behind that the gathered ones as they came. */
  #times = new Float64Array(0);
  #values = new Float64Array(0);
  #sorted = 0;
  #count = 0;
  /** The largest time in it; minus infinity when it is empty. */
  newestUs = -Infinity;

  get count(): number {
    return this.#count;
  }

  /** Forgets everything; the memory is kept for the next ones unless most of it was idle. */
  clear(): void {
    if (this.#count * 4 < this.#times.length) {
      this.#times = new Float64Array(0);
      this.#values = new Float64Array(0);
    }
    this.#sorted = 0;
    this.#count = 0;
    this.newestUs = -Infinity;
  }

  find(timeUs: number, value: number): Sighting {
    if (timeUs > this.newestUs) return "none";
    const at = this.#place(timeUs, value);
    const isThere = at < this.#sorted && this.#times[at] === timeUs;
    if (isThere && Object.is(this.#values[at], value)) return "same";
    let sighting: Sighting = isThere || (at > 0 && this.#times[at - 1] === timeUs) ? "other" : "none";
    for (let i = this.#sorted; i < this.#count; i++)
      if (this.#times[i] === timeUs) {
        if (Object.is(this.#values[i], value)) return "same";
        sighting = "other";
      }
    return sighting;
  }

  /** Adds a reading that is not in it. */
  add(timeUs: number, value: number): void {
    if (this.#count === this.#times.length) this.#grow();
    if (timeUs > this.newestUs) {
      if (this.#sorted < this.#count) this.#merge();
      this.newestUs = timeUs;
      this.#put(this.#count, timeUs, value);
      this.#sorted += 1;
    } else this.#put(this.#count, timeUs, value);
    this.#count += 1;
    if (this.#count - this.#sorted >= TAIL_MAX) this.#merge();
  }

  #put(at: number, timeUs: number, value: number): void {
    this.#times[at] = timeUs;
    this.#values[at] = value;
  }

  /** The place of the first sorted reading that is not before (time, value). */
  #place(timeUs: number, value: number): number {
    let low = 0;
    let high = this.#sorted;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#times[middle] ?? NaN, this.#values[middle] ?? NaN, timeUs, value)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Sorts the gathered ones in, from the back. */
  #merge(): void {
    const gathered = Array.from({ length: this.#count - this.#sorted }, (_, i) => ({
      timeUs: this.#times[this.#sorted + i] ?? NaN,
      value: this.#values[this.#sorted + i] ?? NaN,
    })).sort((a, b) => (isBefore(a.timeUs, a.value, b.timeUs, b.value) ? -1 : 1));
    let from = this.#sorted;
    let to = this.#count;
    for (const { timeUs, value } of gathered.toReversed()) {
      const place = this.#place(timeUs, value);
      const moved = from - place;
      this.#times.copyWithin(to - moved, place, from);
      this.#values.copyWithin(to - moved, place, from);
      to -= moved + 1;
      from = place;
      this.#sorted = place; // What lies behind it is in its last place already.
      this.#put(to, timeUs, value);
    }
    this.#sorted = this.#count;
  }

  #grow(): void {
    const capacity = Math.max(CAPACITY_MIN, this.#times.length * 2);
    const [times, values] = [new Float64Array(capacity), new Float64Array(capacity)];
    times.set(this.#times);
    values.set(this.#values);
    this.#times = times;
    this.#values = values;
  }
}

/** Whether a reading comes before another, by time, then value, -0 before 0. */
function isBefore(timeUs: number, value: number, otherTimeUs: number, otherValue: number): boolean {
  if (timeUs !== otherTimeUs) return timeUs < otherTimeUs;
  if (value !== otherValue) return value < otherValue;
  return Object.is(value, -0) && !Object.is(otherValue, -0);
}
