import { BASIS, COUNT, type Part, type Run } from "./part.ts";
import type { SortedReadings } from "./sorted-readings.ts";
import { alignDown } from "./window-rule.ts";

/** Where the rows of one part are kept; `tags` says of which pane each is, by number. */
interface Column {
  readonly tags: Float64Array;
  readonly rows: Float64Array;
  /** Panes from one number up to another that are all measured and have readings: the last window, mostly. */
  fullFrom: number;
  fullTo: number;
}

/** Panes of one metric, from one up to another, both multiples of the pane. */
interface Stretch {
  readonly readings: SortedReadings;
  readonly fromUs: number;
  readonly toUs: number;
}

/**
 * The parts of the panes of one metric of one device: each stretch of event time of `paneUs`, aligned to the epoch, is
 * measured once and then shared by all windows over it.
 *
 * Only a memory: what it gives is a function of the readings. A pane's place is its number modulo the capacity, which is
 * a power of two with room for at least the panes of a window, so the bytes are bounded: 8 for each number of each part
 * that the view's functions ask for and 8 for its tag, times the capacity.
 */
export class Panes {
  readonly paneUs: number;
  readonly #capacity: number;
  readonly #columns = new Map<Part, Column>();
  readonly #run: Run = { times: new Float64Array(0), values: new Float64Array(0), from: 0, to: 0 };
  /** The place that was asked for last: each part of a window asks for the same. */
  #askedNumber = Number.NaN;
  #askedPlace = 0;
  readonly #basis = new Float64Array(BASIS.width);

  constructor(paneUs: number, perWindow: number) {
    this.paneUs = paneUs;
    this.#capacity = 2 ** Math.ceil(Math.log2(perWindow + 1));
  }

  /** A reading has come into a pane that may have been measured. */
  invalidate(timeUs: number): void {
    const number = alignDown(timeUs, this.paneUs) / this.paneUs;
    const place = this.#place(number);
    for (const column of this.#columns.values()) {
      if (column.tags[place] !== number) continue;
      column.tags[place] = Number.NaN;
      column.fullTo = -Infinity;
    }
  }

  clear(): void {
    this.#columns.clear();
  }

  /** Appends the rows of the panes that have readings to `into`, from number `at` on; returns where they end. */
  append(part: Part, stretch: Stretch, into: Float64Array, at: number): number {
    const { width } = part;
    const { rows } = part === BASIS ? this.#column(BASIS) : this.#column(part);
    const isFull = this.#prepare(part, stretch);
    const mask = this.#capacity - 1;
    let left = (stretch.toUs - stretch.fromUs) / this.paneUs;
    let place = this.#place(stretch.fromUs / this.paneUs);
    let end = at;
    if (isFull) {
      // As a whole up to the end of the column, and then from its beginning.
      while (left > 0) {
        const count = Math.min(left, this.#capacity - place);
        // One by one: so few numbers cost less than an object that shows them.
        const to = end + count * width;
        for (let from = place * width; end < to; from++, end++) into[end] = rows[from] ?? Number.NaN;
        left -= count;
        place = 0;
      }
      return end;
    }
    const basis = this.#column(BASIS).rows;
    for (; left > 0; left--, place = (place + 1) & mask) {
      if (basis[place * BASIS.width + COUNT] === 0) continue;
      for (let i = 0; i < width; i++) into[end + i] = rows[place * width + i] ?? Number.NaN;
      end += width;
    }
    return end;
  }

  /** Measures the panes that are not; whether each has a reading. */
  #prepare(part: Part, { readings, fromUs, toUs }: Stretch): boolean {
    const basis = this.#column(BASIS);
    const column = part === BASIS ? basis : this.#column(part);
    const mask = this.#capacity - 1;
    const first = fromUs / this.paneUs;
    const last = toUs / this.paneUs;
    let isFull = true;
    let number = first >= column.fullFrom && first < column.fullTo ? column.fullTo : first;
    // The remainder is taken once: of such numbers it costs more than all the rest.
    for (let place = this.#place(number); number < last; number++, place = (place + 1) & mask) {
      // What other windows asked for is measured along with it: the readings are at hand.
      if (basis.tags[place] !== number) this.#measure([...this.#columns.keys()], number, readings);
      if (basis.rows[place * BASIS.width + COUNT] === 0) isFull = false;
      else if (column.tags[place] !== number) this.#measure([part], number, readings);
    }
    column.fullFrom = first;
    column.fullTo = isFull ? last : -Infinity;
    return isFull;
  }

  #place(number: number): number {
    if (number === this.#askedNumber) return this.#askedPlace;
    const place = number % this.#capacity;
    this.#askedNumber = number;
    this.#askedPlace = place < 0 ? place + this.#capacity : place;
    return this.#askedPlace;
  }

  #column(part: Part): Column {
    let column = this.#columns.get(part);
    if (column === undefined) {
      column = {
        tags: new Float64Array(this.#capacity).fill(Number.NaN),
        rows: new Float64Array(this.#capacity * part.width),
        fullFrom: Infinity,
        fullTo: -Infinity,
      };
      this.#columns.set(part, column);
    }
    return column;
  }

  /** Of these parts BASIS, where it is one of them, is the first. */
  #measure(parts: readonly Part[], number: number, readings: SortedReadings): void {
    const place = this.#place(number);
    const run = this.#run;
    run.times = readings.times;
    run.values = readings.values;
    run.from = readings.lowerBound(number * this.paneUs);
    run.to = readings.lowerBound((number + 1) * this.paneUs);
    const basis = this.#column(BASIS).rows;
    for (const part of parts) {
      const column = this.#column(part);
      // The place may be that of a later pane.
      if (number < column.fullFrom) column.fullTo = -Infinity;
      column.tags[place] = number;
      if (run.from === run.to) {
        column.rows[place * part.width] = 0;
        continue;
      }
      if (part !== BASIS)
        for (let i = 0; i < BASIS.width; i++) this.#basis[i] = basis[place * BASIS.width + i] ?? Number.NaN;
      part.measure(run, this.#basis, column.rows, place * part.width);
    }
  }
}
