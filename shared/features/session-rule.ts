import type { WindowTimes } from "./window-times.ts";
import {
  firstTime,
  lastTime,
  type LateReading,
  type Line,
  type NextWindow,
  type WindowRule,
} from "./window-rule.ts";

/**
 * Sessions: rows of readings of any of the view's inputs, each less than `gapUs` after the one before, [first, last + 1).
 * A reading `sizeUs` or more after the first begins the next one.
 *
 * A session closes when the watermark is `gapUs` beyond its last reading, or `sizeUs` beyond its first. The first
 * session of a device begins with its first reading. A late reading joins the closed session that has it in its span or
 * less than `gapUs` after its end, as a revision with the same start and perhaps a later end; sessions that it would
 * connect stay two. Between closed sessions, or before the first, it begins one of its own, of which stateful functions
 * never learn; behind the last one it is part of the open session, which may close with it. A late reading is beyond
 * correction where it is before the final time and every session that can still take it. The cursor is where the last
 * session closed.
 */
export class SessionRule implements WindowRule {
  readonly #sizeUs: number;
  readonly #gapUs: number;

  constructor({ sizeUs, gapUs }: WindowTimes) {
    this.#sizeUs = sizeUs;
    this.#gapUs = gapUs;
  }

  begin(): number {
    return -Infinity;
  }

  dueOf(timeUs: number): number {
    return timeUs + Math.min(this.#gapUs, this.#sizeUs);
  }

  next(line: Line, into: NextWindow): boolean {
    const firstUs = firstTime(line, line.cursorUs);
    if (firstUs === Infinity) return false;
    const cutUs = firstUs + this.#sizeUs;
    let lastUs = firstUs;
    for (;;) {
      const nextUs = lastTime(line, Math.min(lastUs + this.#gapUs, cutUs));
      if (nextUs <= lastUs) break;
      lastUs = nextUs;
    }
    into.startUs = firstUs;
    into.endUs = lastUs + 1;
    into.dueUs = Math.min(lastUs + this.#gapUs, cutUs);
    into.dueForUs = firstUs;
    into.cursorUs = into.dueUs;
    return true;
  }

  cursorAt(): number {
    return -Infinity;
  }

  closedThrough(cursorUs: number): number {
    return cursorUs;
  }

  keepFrom(line: Line, finalUs: number): number {
    const { closed } = line;
    const closedUs = closed.count === 0 ? Infinity : closed.startUs(closed.first);
    const openUs = Math.max(line.cursorUs, firstTime(line, line.cursorUs) - this.#gapUs + 1);
    return Math.min(finalUs, closedUs, openUs);
  }

  isPartlyFinal(): boolean {
    return false;
  }

  place(line: Line, { timeUs }: LateReading): boolean {
    const { closed } = line;
    const place = closed.lowerBound(timeUs + 1);
    if (place > closed.first) {
      const before = place - 1;
      const endUs = closed.endUs(before);
      const isJoining = timeUs < endUs - 1 + this.#gapUs && timeUs < closed.startUs(before) + this.#sizeUs;
      if (timeUs < endUs || isJoining) {
        closed.extend(before, Math.max(endUs, timeUs + 1));
        return true;
      }
    }
    closed.insert(place, { startUs: timeUs, endUs: timeUs + 1 }, line.state);
    return true;
  }
}
