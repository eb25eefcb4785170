import type { CheckpointReader, CheckpointWriter } from "./checkpoint.ts";

const CAPACITY_MIN = 8;

/** Start, end, revision, and whether it is to be evaluated again. */
const WIDTH = 4;

/**
 * The windows of one device that have closed and can still be revised, by start; ends ascend with the starts.
 *
 * 32 bytes and the state of the view's stateful functions per window, up to twice that while it grows.
 */
export class ClosedWindows {
  readonly #stateDoubles: number;
  readonly #stride: number;
  #rows: Float64Array;
  #from = 0;
  #to = 0;
  /** The first window that is marked may be here or later. */
  #markedFrom = Infinity;

  constructor(stateDoubles: number, from?: CheckpointReader) {
    this.#stateDoubles = stateDoubles;
    this.#stride = WIDTH + stateDoubles;
    this.#rows = from?.column() ?? new Float64Array(0);
    this.#to = this.#rows.length / this.#stride;
  }

  save(to: CheckpointWriter): void {
    to.column(this.#rows.subarray(this.#from * this.#stride, this.#to * this.#stride));
  }

  /** The first place and the one behind the last: windows are at the places between. */
  get first(): number {
    return this.#from;
  }

  get end(): number {
    return this.#to;
  }

  get count(): number {
    return this.#to - this.#from;
  }

  /** The end of the last one; minus infinity where there is none. */
  get lastEndUs(): number {
    return this.count === 0 ? -Infinity : this.endUs(this.#to - 1);
  }

  startUs(place: number): number {
    return this.#rows[place * this.#stride] ?? Number.NaN;
  }

  endUs(place: number): number {
    return this.#rows[place * this.#stride + 1] ?? Number.NaN;
  }

  /** The place of the first window that starts at or after a time. */
  lowerBound(startUs: number): number {
    let low = this.#from;
    let high = this.#to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.startUs(middle) < startUs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Takes a window that closes now; it starts after all others. */
  append(startUs: number, endUs: number, before: Float64Array): void {
    this.#makeRoom();
    const at = this.#to * this.#stride;
    this.#rows[at] = startUs;
    this.#rows[at + 1] = endUs;
    this.#rows[at + 2] = 0;
    this.#rows[at + 3] = 0;
    this.#rows.set(before, at + WIDTH);
    this.#to += 1;
  }

  /**
   * Puts in a window that had been empty until late readings made it, at the place of the first that starts after it.
   * The state before that one is the state that this window would have seen; behind the last one it is `state`.
   */
  insert(
    place: number,
    bounds: { readonly startUs: number; readonly endUs: number },
    state: Float64Array,
  ): void {
    const isLast = place === this.#to;
    const behindFirst = place - this.#from;
    this.append(bounds.startUs, bounds.endUs, state); // May move all of them to the front.
    const own = this.#from + behindFirst;
    const stride = this.#stride;
    const at = own * stride;
    if (!isLast) {
      const rows = this.#rows;
      // Its own state is then what stands there already: that of the window after it.
      rows.copyWithin(at + stride, at, (this.#to - 1) * stride);
      rows[at] = bounds.startUs;
      rows[at + 1] = bounds.endUs;
    }
    this.#rows[at + 2] = -1;
    this.mark(own);
  }

  /** To be evaluated again at the end of the message. */
  mark(place: number): void {
    this.#rows[place * this.#stride + 3] = 1;
    this.#markedFrom = Math.min(this.#markedFrom, this.startUs(place));
  }

  extend(place: number, endUs: number): void {
    this.#rows[place * this.#stride + 1] = endUs;
    this.mark(place);
  }

  /** Calls for each marked window, oldest first, with its next revision and the state from before it closed. */
  revise(each: (startUs: number, endUs: number, revision: number, before: Float64Array) => void): void {
    if (this.#markedFrom === Infinity) return;
    const rows = this.#rows;
    for (let place = this.lowerBound(this.#markedFrom); place < this.#to; place++) {
      const at = place * this.#stride;
      if (rows[at + 3] !== 1) continue;
      rows[at + 3] = 0;
      const revision = (rows[at + 2] ?? 0) + 1;
      rows[at + 2] = revision;
      const before = rows.subarray(at + WIDTH, at + WIDTH + this.#stateDoubles);
      each(this.startUs(place), this.endUs(place), revision, before);
    }
    this.#markedFrom = Infinity;
  }

  /** Forgets the windows that end by a time. */
  dropThrough(endUs: number): void {
    while (this.#from < this.#to && this.endUs(this.#from) <= endUs) this.#from += 1;
    if (this.#from === this.#to) this.clear();
  }

  clear(): void {
    this.#from = 0;
    this.#to = 0;
    this.#markedFrom = Infinity;
  }

  #makeRoom(): void {
    const stride = this.#stride;
    if ((this.#to + 1) * stride <= this.#rows.length) return;
    const { count } = this;
    const live = this.#rows.subarray(this.#from * stride, this.#to * stride);
    if (this.#from > count) this.#rows.set(live);
    else {
      const grown = new Float64Array(Math.max(CAPACITY_MIN, count * 2 + 1) * stride);
      grown.set(live);
      this.#rows = grown;
    }
    this.#from = 0;
    this.#to = count;
  }
}
