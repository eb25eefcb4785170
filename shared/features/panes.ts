import { BASIS, COUNT, type Part, type Run } from "./part.ts";
import type { SortedReadings } from "./sorted-readings.ts";
import { alignDown } from "./window-rule.ts";

/** Where the rows of one part are kept; `tags` says of which pane each is, by number. */
interface Column {
  readonly tags: Float64Array;
  readonly rows: Float64Array;
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
  readonly #basis = new Float64Array(BASIS.width);

  constructor(paneUs: number, perWindow: number) {
    this.paneUs = paneUs;
    this.#capacity = 2 ** Math.ceil(Math.log2(perWindow + 1));
  }

  /** A reading has come into a pane that may have been measured. */
  invalidate(timeUs: number): void {
    const number = alignDown(timeUs, this.paneUs) / this.paneUs;
    const place = this.#place(number);
    for (const { tags } of this.#columns.values()) if (tags[place] === number) tags[place] = Number.NaN;
  }

  clear(): void {
    this.#columns.clear();
  }

  /** Appends the rows of the panes that have readings to `into`, from number `at` on; returns where they end. */
  append(part: Part, stretch: Stretch, into: Float64Array, at: number): number {
    const { width } = part;
    const basis = this.#column(BASIS);
    const column = part === BASIS ? basis : this.#column(part);
    const last = stretch.toUs / this.paneUs;
    let end = at;
    for (let number = stretch.fromUs / this.paneUs; number < last; number++) {
      const place = this.#place(number);
      if (basis.tags[place] !== number) this.#measure(BASIS, number, stretch.readings);
      if (basis.rows[place * BASIS.width + COUNT] === 0) continue;
      if (column.tags[place] !== number) this.#measure(part, number, stretch.readings);
      for (let from = place * width, to = from + width; from < to; from++)
        into[end++] = column.rows[from] ?? Number.NaN;
    }
    return end;
  }

  #place(number: number): number {
    const place = number % this.#capacity;
    return place < 0 ? place + this.#capacity : place;
  }

  #column(part: Part): Column {
    let column = this.#columns.get(part);
    if (column === undefined) {
      column = {
        tags: new Float64Array(this.#capacity).fill(Number.NaN),
        rows: new Float64Array(this.#capacity * part.width),
      };
      this.#columns.set(part, column);
    }
    return column;
  }

  #measure(part: Part, number: number, readings: SortedReadings): void {
    const place = this.#place(number);
    const { tags, rows } = this.#column(part);
    const run = this.#run;
    run.times = readings.times;
    run.values = readings.values;
    run.from = readings.lowerBound(number * this.paneUs);
    run.to = readings.lowerBound((number + 1) * this.paneUs);
    if (part !== BASIS) {
      const basis = this.#column(BASIS).rows;
      for (let i = 0; i < BASIS.width; i++) this.#basis[i] = basis[place * BASIS.width + i] ?? Number.NaN;
    }
    if (run.from === run.to) rows[place * part.width] = 0;
    else part.measure(run, this.#basis, rows, place * part.width);
    tags[place] = number;
  }
}
