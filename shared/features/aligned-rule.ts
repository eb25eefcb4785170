import type { WindowTimes } from "./window-times.ts";
import {
  alignDown,
  alignUp,
  firstTime,
  type LateReading,
  type Line,
  type NextWindow,
  type WindowRule,
} from "./window-rule.ts";

/**
 * Tumbling and hopping windows: aligned to the epoch, one of `sizeUs` ends every `hopUs`.
 *
 * The first window of a device begins at or after its earliest reading, so it is never a part of one. A window without
 * a reading makes no vector; one that had been empty gets its first vector from a late reading, but stateful functions
 * never learn of it. The cursor is the start of the next window.
 */
export class AlignedRule implements WindowRule {
  readonly #sizeUs: number;
  readonly #hopUs: number;

  constructor({ sizeUs, hopUs }: WindowTimes) {
    this.#sizeUs = sizeUs;
    this.#hopUs = hopUs;
  }

  begin(earliestUs: number): number {
    return alignUp(earliestUs, this.#hopUs);
  }

  dueOf(timeUs: number, { cursorUs }: Line): number {
    return Math.max(cursorUs + this.#sizeUs, alignDown(timeUs, this.#hopUs) + this.#hopUs);
  }

  next(line: Line, into: NextWindow): boolean {
    const firstUs = firstTime(line, line.cursorUs);
    if (firstUs === Infinity) return false;
    const endUs = this.dueOf(firstUs, line);
    into.startUs = endUs - this.#sizeUs;
    into.endUs = endUs;
    into.dueUs = endUs;
    into.dueForUs = firstUs;
    into.cursorUs = into.startUs + this.#hopUs;
    return true;
  }

  cursorAt(watermarkUs: number): number {
    return alignDown(watermarkUs, this.#hopUs) + this.#hopUs - this.#sizeUs;
  }

  closedThrough(cursorUs: number): number {
    return cursorUs - this.#hopUs + this.#sizeUs;
  }

  keepFrom(_line: Line, finalUs: number): number {
    return alignDown(finalUs, this.#hopUs) + this.#hopUs - this.#sizeUs;
  }

  isPartlyFinal(line: Line, { timeUs, finalUs }: LateReading): boolean {
    if (timeUs < line.earliestUs) return true;
    const firstEndUs = this.#firstEnd(line, timeUs);
    return firstEndUs <= alignDown(timeUs, this.#hopUs) + this.#sizeUs && firstEndUs <= finalUs;
  }

  place(line: Line, { timeUs, finalUs }: LateReading): boolean {
    const { closed } = line;
    const hopUs = this.#hopUs;
    const lastEndUs = Math.min(alignDown(timeUs, hopUs) + this.#sizeUs, this.closedThrough(line.cursorUs));
    let isPlaced = false;
    for (let endUs = this.#firstEnd(line, timeUs); endUs <= lastEndUs; endUs += hopUs) {
      if (endUs <= finalUs) continue;
      const startUs = endUs - this.#sizeUs;
      const place = closed.lowerBound(startUs);
      if (place < closed.end && closed.startUs(place) === startUs) closed.mark(place);
      else closed.insert(place, { startUs, endUs }, line.state);
      isPlaced = true;
    }
    return isPlaced;
  }

  /** The end of the first window of the device that has a time in it. */
  #firstEnd({ earliestUs }: Line, timeUs: number): number {
    return Math.max(
      alignDown(timeUs, this.#hopUs) + this.#hopUs,
      alignUp(earliestUs, this.#hopUs) + this.#sizeUs,
    );
  }
}
