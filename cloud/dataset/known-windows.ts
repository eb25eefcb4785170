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
 * matter in which order they are learned. Memory: 32 bytes for each window; learning costs a move of what ends later.
 */
export class KnownWindows {
  #count = 0;
  #endUs = new Float64Array(ROOM_WINDOWS);
  #source = new Int32Array(ROOM_WINDOWS);
  #revision = new Int32Array(ROOM_WINDOWS);
  #seq = new Float64Array(ROOM_WINDOWS);
  #row = new Float64Array(ROOM_WINDOWS);

  get count(): number {
    return this.#count;
  }

  /** Learns of a vector, which is `row` of the columns. */
  learn(keys: VectorKeys, row: number): void {
    const endUs = keys.windowEndUs[row] ?? NaN;
    const place = this.placeAfter(endUs);
    if (place > 0 && this.#endUs[place - 1] === endUs) {
      if (this.#isNewer(keys, row, place - 1)) this.#set(keys, row, place - 1);
    } else {
      this.#insert(place);
      this.#set(keys, row, place);
    }
  }

  /** How many windows end by then: the newest of them has the place before. */
  placeAfter(endUs: number): number {
    let high = this.#count;
    // Windows mostly become known in the order of their ends, and are mostly asked for soon after.
    if (high === 0 || (this.#endUs[high - 1] ?? NaN) <= endUs) return high;
    let low = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#endUs[middle] ?? NaN) <= endUs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  endUs(place: number): number {
    return this.#endUs[place] ?? NaN;
  }

  source(place: number): number {
    return this.#source[place] ?? -1;
  }

  seq(place: number): number {
    return this.#seq[place] ?? NaN;
  }

  /** The row that the newest vector of the window had in the columns that it was learned from. */
  row(place: number): number {
    return this.#row[place] ?? NaN;
  }

  /** Forgets the windows that end before then, but for the last of them: that there was one is still known. */
  forgetBefore(endUs: number): void {
    let old = this.placeAfter(endUs);
    while (old > 0 && this.#endUs[old - 1] === endUs) old--;
    const gone = old - 1;
    // Moving costs as much as what stays: worth it once it is less than what goes.
    if (gone <= this.#count / 2) return;
    for (const column of this.#columns()) column.copyWithin(0, gone, this.#count);
    this.#count -= gone;
  }

  clear(): void {
    this.#count = 0;
  }

  #columns(): readonly (Float64Array | Int32Array)[] {
    return [this.#endUs, this.#source, this.#revision, this.#seq, this.#row];
  }

  #isNewer(keys: VectorKeys, row: number, place: number): boolean {
    const order =
      (keys.source[row] ?? 0) - (this.#source[place] ?? 0) ||
      (keys.revision[row] ?? 0) - (this.#revision[place] ?? 0) ||
      (keys.seq[row] ?? 0) - (this.#seq[place] ?? 0);
    return order > 0;
  }

  #set(keys: VectorKeys, row: number, place: number): void {
    this.#endUs[place] = keys.windowEndUs[row] ?? NaN;
    this.#source[place] = keys.source[row] ?? -1;
    this.#revision[place] = keys.revision[row] ?? -1;
    this.#seq[place] = keys.seq[row] ?? NaN;
    this.#row[place] = row;
  }

  #insert(place: number): void {
    if (this.#count === this.#endUs.length) this.#grow();
    if (place < this.#count)
      for (const column of this.#columns()) column.copyWithin(place + 1, place, this.#count);
    this.#count++;
  }

  #grow(): void {
    const room = this.#count * 2;
    this.#endUs = grown(this.#endUs, new Float64Array(room));
    this.#source = grown(this.#source, new Int32Array(room));
    this.#revision = grown(this.#revision, new Int32Array(room));
    this.#seq = grown(this.#seq, new Float64Array(room));
    this.#row = grown(this.#row, new Float64Array(room));
  }
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
