import type { Panes } from "./panes.ts";
import { BASIS, type Part, type Run } from "./part.ts";
import type { SortedReadings } from "./sorted-readings.ts";
import { alignDown, alignUp } from "./window-rule.ts";

const EMPTY: Float64Array = new Float64Array(0);

/** The rows of one part over one window, from left to right. */
export interface PartRows {
  readonly rows: Float64Array;
  /** How many rows there are: 1 where the window was measured as a whole, 0 where it is empty. */
  readonly count: number;
}

/** Where a window's panes are. */
export interface PaneSpan {
  readonly panes: Panes;
  readonly readings: SortedReadings;
  readonly startUs: number;
  readonly endUs: number;
}

/** The parts of one window, each made when first asked for, as a whole or from the window's panes. */
export class WindowParts {
  readonly #made = new Map<Part, { rows: Float64Array; count: number; window: number }>();
  readonly #run: Run = { times: EMPTY, values: EMPTY, from: 0, to: 0 };
  /** The basis of what the window has of a pane at one of its ends. */
  readonly #edge = new Float64Array(BASIS.width);
  #whole: Readonly<Run> = this.#run;
  #span: PaneSpan | undefined;
  /** From where and up to where its panes are whole. */
  #fromUs = 0;
  #toUs = 0;
  /** Number of the window, by which what was made for an earlier one is told apart. */
  #window = 0;

  /** Goes on to the next window: entries [from, to) of the columns, which the span, where there is one, has as panes. */
  begin(whole: Readonly<Run>, span: PaneSpan | undefined): void {
    this.#whole = whole;
    this.#span = span;
    this.#window += 1;
    if (span === undefined) return;
    this.#fromUs = alignUp(span.startUs, span.panes.paneUs);
    this.#toUs = alignDown(span.endUs, span.panes.paneUs);
  }

  /** Valid until the next window. */
  get(part: Part): PartRows {
    let made = this.#made.get(part);
    if (made === undefined) {
      made = { rows: new Float64Array(part.width), count: 0, window: -1 };
      this.#made.set(part, made);
    }
    if (made.window === this.#window) return made;
    made.window = this.#window;
    const span = this.#span;
    const rowsMax = span === undefined ? 1 : Math.ceil((span.endUs - span.startUs) / span.panes.paneUs) + 2;
    if (made.rows.length < rowsMax * part.width) made.rows = new Float64Array(rowsMax * part.width);
    made.count = this.#fill(part, made.rows) / part.width;
    return made;
  }

  /** Writes the rows and returns where they end. A window that begins or ends within a pane has its part of that. */
  #fill(part: Part, into: Float64Array): number {
    const span = this.#span;
    const run = this.#run;
    run.times = this.#whole.times;
    run.values = this.#whole.values;
    run.from = this.#whole.from;
    run.to = this.#whole.to;
    if (span === undefined) return this.#measure(part, into, 0);
    const { panes, readings, startUs, endUs } = span;
    const fromUs = this.#fromUs;
    const toUs = this.#toUs;
    let end = 0;
    if (fromUs > startUs) {
      run.to = readings.lowerBound(fromUs);
      end = this.#measure(part, into, end);
    }
    end = panes.append(part, { readings, fromUs, toUs }, into, end);
    if (toUs === endUs) return end;
    run.from = readings.lowerBound(toUs);
    run.to = this.#whole.to;
    return this.#measure(part, into, end);
  }

  #measure(part: Part, into: Float64Array, at: number): number {
    const { from, to } = this.#run;
    if (from === to) return at;
    let basis = EMPTY;
    if (part !== BASIS && this.#span !== undefined) {
      basis = this.#edge;
      BASIS.measure(this.#run, EMPTY, basis, 0);
    } else if (part !== BASIS) {
      basis = this.get(BASIS).rows;
    }
    part.measure(this.#run, basis, into, at);
    return at + part.width;
  }
}
