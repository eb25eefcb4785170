/**
 * Vectors of one view by column, one entry each, as the point-in-time join needs to see them.
 *
 * `source` numbers the buffer (gateway and epoch) that a vector comes from: the larger one wins where several have
 * vectors of the same window. Within a source the larger revision is newer, then the larger `seq`.
 */
export interface VectorKeys {
  readonly windowEndUs: Float64Array;
  readonly source: Int32Array;
  readonly revision: Int32Array;
  readonly seq: Float64Array;
}

/** Windows that there is room for at first. */
const ROOM_WINDOWS = 256;

/**
 * The windows of one entity whose vectors have become known so far, each with its newest revision, by their ends.
 *
 * Which of two vectors of a window is newer is one order over all of them (source, revision, seq), so it does not
 * matter in which order they are learned. The columns have a gap where the last window was put in: windows that come
 * one after the other cost the same wherever they lie, be it a history that is imported backwards; only jumping about
 * moves what lies between. Memory: 32 bytes for each window, twice that at the most.
 */
export class KnownWindows {
  #endUs = new Float64Array(ROOM_WINDOWS);
  #source = new Int32Array(ROOM_WINDOWS);
  #revision = new Int32Array(ROOM_WINDOWS);
  #seq = new Float64Array(ROOM_WINDOWS);
  #row = new Float64Array(ROOM_WINDOWS);
  /** Where nothing is: [#gapFrom, #gapTo). */
  #gapFrom = 0;
  #gapTo = ROOM_WINDOWS;

  get count(): number {
    return this.#endUs.length - (this.#gapTo - this.#gapFrom);
  }

  /** Learns of a vector, which is `row` of the columns. */
  learn(keys: VectorKeys, row: number): void {
    const endUs = keys.windowEndUs[row] ?? NaN;
    const place = this.placeAfter(endUs);
    if (place > 0 && this.endUs(place - 1) === endUs) {
      const at = this.#at(place - 1);
      if (this.#isNewer(keys, row, at)) this.#set(keys, row, at);
      return;
    }
    if (this.#gapFrom === this.#gapTo) this.#grow();
    this.#moveGap(place);
    this.#set(keys, row, this.#gapFrom++);
  }

  /** How many windows end by then: the newest of them has the place before. */
  placeAfter(endUs: number): number {
    let high = this.count;
    // Windows mostly become known in the order of their ends, and are mostly asked for soon after.
    if (high === 0 || this.endUs(high - 1) <= endUs) return high;
    let low = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.endUs(middle) <= endUs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  endUs(place: number): number {
    return this.#endUs[this.#at(place)] ?? NaN;
  }

  source(place: number): number {
    return this.#source[this.#at(place)] ?? -1;
  }

  seq(place: number): number {
    return this.#seq[this.#at(place)] ?? NaN;
  }

  /** The row that the newest vector of the window had in the columns that it was learned from. */
  row(place: number): number {
    return this.#row[this.#at(place)] ?? NaN;
  }

  /** Forgets the windows that end before then, but for the last of them: that there was one is still known. */
  forgetBefore(endUs: number): void {
    let old = this.placeAfter(endUs);
    while (old > 0 && this.endUs(old - 1) === endUs) old--;
    const gone = old - 1;
    const { count } = this;
    // Moving costs as much as what stays: worth it once it is less than what goes.
    if (gone <= count / 2) return;
    this.#moveGap(count);
    for (const column of this.#columns()) column.copyWithin(0, gone, count);
    this.#gapFrom = count - gone;
  }

  clear(): void {
    this.#gapFrom = 0;
    this.#gapTo = this.#endUs.length;
  }

  /** Where the window of a place lies in the columns. */
  #at(place: number): number {
    return place < this.#gapFrom ? place : place + this.#gapTo - this.#gapFrom;
  }

  #columns(): readonly (Float64Array | Int32Array)[] {
    return [this.#endUs, this.#source, this.#revision, this.#seq, this.#row];
  }

  #isNewer(keys: VectorKeys, row: number, at: number): boolean {
    const order =
      (keys.source[row] ?? 0) - (this.#source[at] ?? 0) ||
      (keys.revision[row] ?? 0) - (this.#revision[at] ?? 0) ||
      (keys.seq[row] ?? 0) - (this.#seq[at] ?? 0);
    return order > 0;
  }

  #set(keys: VectorKeys, row: number, at: number): void {
    this.#endUs[at] = keys.windowEndUs[row] ?? NaN;
    this.#source[at] = keys.source[row] ?? -1;
    this.#revision[at] = keys.revision[row] ?? -1;
    this.#seq[at] = keys.seq[row] ?? NaN;
    this.#row[at] = row;
  }

  /** Moves the gap in front of the window of a place. */
  #moveGap(place: number): void {
    const [from, to] = [this.#gapFrom, this.#gapTo];
    if (place === from) return;
    const size = to - from;
    for (const column of this.#columns())
      if (place < from) column.copyWithin(place + size, place, from);
      else column.copyWithin(from, to, place + size);
    this.#gapFrom = place;
    this.#gapTo = place + size;
  }

  /** Doubles the room of columns that are full. */
  #grow(): void {
    const { length } = this.#endUs;
    this.#endUs = grown(this.#endUs, new Float64Array(length * 2));
    this.#source = grown(this.#source, new Int32Array(length * 2));
    this.#revision = grown(this.#revision, new Int32Array(length * 2));
    this.#seq = grown(this.#seq, new Float64Array(length * 2));
    this.#row = grown(this.#row, new Float64Array(length * 2));
    this.#gapFrom = length;
    this.#gapTo = length * 2;
  }
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
