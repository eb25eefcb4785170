/** Out-of-order readings that are gathered before they are merged: bounds what one of them costs. */
const TAIL_MAX = 128;

/** So small that a series with a few readings takes no memory outside of V8's own heap, which is slow to get. */
const CAPACITY_MIN = 4;

const EMPTY = new Float64Array(0);

/** A run of so many keeps its memory when it is cleared; a larger one only where it was used. */
const KEPT_CAPACITY = 64;

/** What a run says of a reading: the same was seen, another value of the same time was, or nothing of that time. */
export type Sighting = "same" | "other" | "none";

/**
 * The distinct readings (time, value) of one series, 16 bytes each and up to twice that while it grows.
 *
 * A reading that is newer than all others is appended; others are gathered and merged, so that the order in which a
 * device sends cannot make it slow. Values are compared by their bits: 0 and -0 are two.
 */
export class SeenRun {
  /** Time and value in turn, sorted by both up to `#sorted`; behind that the gathered ones as they came. */
  #data = EMPTY;
  /** How many readings there is room for. */
  #capacity = 0;
  #sorted = 0;
  #count = 0;
  /** The largest time in it; minus infinity when it is empty. */
  newestUs = -Infinity;

  get count(): number {
    return this.#count;
  }

  /** Forgets everything; the memory is kept for the next ones unless most of it was idle. */
  clear(): void {
    if (this.#capacity > KEPT_CAPACITY && this.#count * 4 < this.#capacity) {
      this.#data = EMPTY;
      this.#capacity = 0;
    }
    this.#sorted = 0;
    this.#count = 0;
    this.newestUs = -Infinity;
  }

  find(timeUs: number, value: number): Sighting {
    if (timeUs > this.newestUs) return "none";
    const at = this.#place(timeUs, value);
    const isThere = at < this.#sorted && this.#timeAt(at) === timeUs;
    if (isThere && Object.is(this.#valueAt(at), value)) return "same";
    let sighting: Sighting = isThere || (at > 0 && this.#timeAt(at - 1) === timeUs) ? "other" : "none";
    for (let i = this.#sorted; i < this.#count; i++)
      if (this.#timeAt(i) === timeUs) {
        if (Object.is(this.#valueAt(i), value)) return "same";
        sighting = "other";
      }
    return sighting;
  }

  /** Adds a reading that is not in it. */
  add(timeUs: number, value: number): void {
    if (this.#count === this.#capacity) this.#grow();
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
    this.#data[2 * at] = timeUs;
    this.#data[2 * at + 1] = value;
  }

  #timeAt(at: number): number {
    return this.#data[2 * at] ?? NaN;
  }

  #valueAt(at: number): number {
    return this.#data[2 * at + 1] ?? NaN;
  }

  /** The place of the first sorted reading that is not before (time, value). */
  #place(timeUs: number, value: number): number {
    let low = 0;
    let high = this.#sorted;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#timeAt(middle), this.#valueAt(middle), timeUs, value)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Sorts the gathered ones in, from the back. */
  #merge(): void {
    const gathered = Array.from({ length: this.#count - this.#sorted }, (_, i) => ({
      timeUs: this.#timeAt(this.#sorted + i),
      value: this.#valueAt(this.#sorted + i),
    })).sort((a, b) => (isBefore(a.timeUs, a.value, b.timeUs, b.value) ? -1 : 1));
    let from = this.#sorted;
    let to = this.#count;
    for (const { timeUs, value } of gathered.toReversed()) {
      const place = this.#place(timeUs, value);
      const moved = from - place;
      this.#data.copyWithin(2 * (to - moved), 2 * place, 2 * from);
      to -= moved + 1;
      from = place;
      this.#sorted = place; // What lies behind it is in its last place already.
      this.#put(to, timeUs, value);
    }
    this.#sorted = this.#count;
  }

  #grow(): void {
    const capacity = Math.max(CAPACITY_MIN, this.#capacity * 2);
    const data = new Float64Array(2 * capacity);
    data.set(this.#data);
    this.#data = data;
    this.#capacity = capacity;
  }
}

/** Whether a reading comes before another, by time, then value, -0 before 0. */
function isBefore(timeUs: number, value: number, otherTimeUs: number, otherValue: number): boolean {
  if (timeUs !== otherTimeUs) return timeUs < otherTimeUs;
  if (value !== otherValue) return value < otherValue;
  return Object.is(value, -0) && !Object.is(otherValue, -0);
}
