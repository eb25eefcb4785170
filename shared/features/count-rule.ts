import type { LateReading, Line, NextWindow, WindowRule } from "./window-rule.ts";
import type { WindowTimes } from "./window-times.ts";

/**
 * Windows by count: `readings` readings of one metric in event time, and what else is measured meanwhile,
 * [first, last + 1); the next begins `hopReadings` of them later. It has more of them only where several have the time of
 * the last, where readings come late, and where it would else end before the window before it.
 *
 * A window closes when the watermark is beyond its last reading. The first of a device begins with its first reading.
 * A late reading of the metric joins every closed window that has it in its span, as a revision; between two closed
 * windows it joins the earlier, which then ends later; windows that have closed are never cut anew. Behind the start of
 * the next window it also counts for that. Readings of other metrics between two windows are in none. A late reading
 * is beyond correction where it is before every window that can still take it. A device that falls silent has the
 * window that is being filled closed as it is, and the next begins behind that. The cursor is the time from which
 * on the next window begins.
 */
export class CountRule implements WindowRule {
  readonly #metric: number;
  readonly #readings: number;
  readonly #hopReadings: number;

  constructor({ counted }: WindowTimes) {
    this.#metric = counted.metric;
    this.#readings = counted.readings;
    this.#hopReadings = counted.hopReadings;
  }

  begin(): number {
    return -Infinity;
  }

  dueOf(timeUs: number): number {
    return timeUs + 1;
  }

  next(line: Line, into: NextWindow): boolean {
    const counted = line.metrics[this.#metric];
    if (counted === undefined) return false;
    const from = counted.lowerBound(line.cursorUs);
    const left = counted.end - from;
    if (left === 0) return false;
    const isFull = left >= this.#readings;
    const last = isFull ? from + this.#readings - 1 : counted.end - 1;
    const nthUs = counted.times[last] ?? Number.NaN;
    const lastUs = Math.max(nthUs, line.closedUs - 1);
    into.startUs = counted.times[from] ?? Number.NaN;
    into.endUs = lastUs + 1;
    into.dueUs = isFull ? lastUs + 1 : Infinity;
    into.dueForUs = isFull ? nthUs : Infinity;
    into.cursorUs = (isFull ? (counted.times[from + this.#hopReadings - 1] ?? Number.NaN) : nthUs) + 1;
    return true;
  }

  cursorAt(): number {
    return -Infinity;
  }

  closedThrough(): number {
    return -Infinity;
  }

  keepFrom(line: Line, finalUs: number): number {
    const { closed } = line;
    const closedUs = closed.count === 0 ? Infinity : closed.startUs(closed.first);
    const openUs = line.metrics[this.#metric]?.nextTime(line.cursorUs) ?? Infinity;
    return Math.min(finalUs, closedUs, openUs);
  }

  /** Whether there is no window for it at all, because it is between final ones and those that are not. */
  isPartlyFinal(line: Line, { metric, timeUs }: LateReading): boolean {
    const { closed, cursorUs } = line;
    if (timeUs >= cursorUs || metric !== this.#metric) return false;
    return closed.count === 0 || timeUs < closed.startUs(closed.first);
  }

  place(line: Line, { metric, timeUs }: LateReading): boolean {
    const { closed } = line;
    const behind = closed.lowerBound(timeUs + 1);
    let isPlaced = false;
    for (let place = behind - 1; place >= closed.first && closed.endUs(place) > timeUs; place--) {
      closed.mark(place);
      isPlaced = true;
    }
    if (isPlaced || behind === closed.first || metric !== this.#metric || timeUs >= line.cursorUs)
      return isPlaced;
    closed.extend(behind - 1, timeUs + 1);
    return true;
  }
}
