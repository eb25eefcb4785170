import type { WindowTimes } from "./window-times.ts";
import {
  alignDown,
  firstTime,
  type LateReading,
  type Line,
  type NextWindow,
  type WindowRule,
} from "./window-rule.ts";

/**
 * Sliding windows: for each event time t with a reading, [t + 1 - size, t + 1), so that the reading is the last in it.
 *
 * A hop above 1 thins them: of each hop of time, aligned to the epoch, the first reading has a window. The first
 * window of a device begins at or after its earliest reading, so it is never a part of one. A late reading revises
 * the windows that reach over it, and has a window of its own unless its hop of time has one; stateful functions never
 * learn of that one. The cursor is the first time that can have a window.
 */
export class SlidingRule implements WindowRule {
  readonly #sizeUs: number;
  readonly #hopUs: number;

  constructor({ sizeUs, hopUs }: WindowTimes) {
    this.#sizeUs = sizeUs;
    this.#hopUs = hopUs;
  }

  begin(earliestUs: number): number {
    return earliestUs + this.#sizeUs - 1;
  }

  dueOf(timeUs: number, { cursorUs }: Line): number {
    return Math.max(timeUs, cursorUs) + 1;
  }

  next(line: Line, into: NextWindow): boolean {
    const timeUs = firstTime(line, line.cursorUs);
    if (timeUs === Infinity) return false;
    into.startUs = timeUs + 1 - this.#sizeUs;
    into.endUs = timeUs + 1;
    into.dueUs = timeUs + 1;
    into.dueForUs = timeUs;
    into.cursorUs = alignDown(timeUs, this.#hopUs) + this.#hopUs;
    return true;
  }

  cursorAt(watermarkUs: number): number {
    return watermarkUs;
  }

  closedThrough(cursorUs: number): number {
    return cursorUs;
  }

  keepFrom(_line: Line, finalUs: number): number {
    return finalUs + 1 - this.#sizeUs;
  }

  isPartlyFinal({ earliestUs }: Line, { timeUs, finalUs }: LateReading): boolean {
    return timeUs < earliestUs || Math.max(timeUs, this.begin(earliestUs)) < finalUs;
  }

  place(line: Line, { timeUs, finalUs }: LateReading): boolean {
    const { closed } = line;
    if (timeUs < line.earliestUs) return false;
    const hasOwn = timeUs >= this.begin(line.earliestUs) && this.#isHopFree(line, timeUs, finalUs);
    if (hasOwn) {
      const bounds = { startUs: timeUs + 1 - this.#sizeUs, endUs: timeUs + 1 };
      closed.insert(closed.lowerBound(bounds.startUs), bounds, line.state);
      line.cursorUs = Math.max(line.cursorUs, alignDown(timeUs, this.#hopUs) + this.#hopUs);
    }
    let isPlaced = hasOwn;
    const from = closed.lowerBound(timeUs + 1 - this.#sizeUs);
    for (let place = from; place < closed.end && closed.startUs(place) <= timeUs; place++) {
      closed.mark(place);
      isPlaced = true;
    }
    return isPlaced;
  }

  /** Whether no window has closed in the hop of a time. If its beginning is final, one may have and be forgotten. */
  #isHopFree({ closed }: Line, timeUs: number, finalUs: number): boolean {
    const hopFromUs = alignDown(timeUs, this.#hopUs);
    const place = closed.lowerBound(hopFromUs + 1 - this.#sizeUs);
    const isTaken = place < closed.end && closed.endUs(place) <= hopFromUs + this.#hopUs;
    return !isTaken && hopFromUs >= finalUs;
  }
}
