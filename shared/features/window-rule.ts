import type { ClosedWindows } from "./closed-windows.ts";
import type { SortedReadings } from "./sorted-readings.ts";

/** What a rule sees of one device. */
export interface Line {
  /** One per metric of the view. */
  readonly metrics: readonly SortedReadings[];
  readonly closed: ClosedWindows;
  /** The smallest event time that was not late. */
  readonly earliestUs: number;
  /** Windows before it have closed: what it is the time of is the rule's to say. */
  cursorUs: number;
  /** The latest end of a window that has closed; minus infinity before the first. */
  readonly closedUs: number;
  /** The state of the stateful functions now. */
  readonly state: Float64Array;
}

/** The next window that can close. Written anew by each `next`, so that looking costs no memory. */
export interface NextWindow {
  startUs: number;
  endUs: number;
  /** It closes once the watermark is here: then no reading that is in time can change it. */
  dueUs: number;
  /** A reading that is not before this time does not make it due earlier. */
  dueForUs: number;
  /** The cursor behind it. */
  cursorUs: number;
}

/** A reading that came late, and until where windows are final. */
export interface LateReading {
  readonly metric: number;
  readonly timeUs: number;
  /** Windows that end by then are final. */
  readonly finalUs: number;
}

/**
 * What the windows of one kind are, over the ordered readings of one device. Holds the view's settings and nothing of a
 * device: all methods are functions of the line.
 */
export interface WindowRule {
  /** The cursor of a device from which nothing has closed yet. */
  begin(earliestUs: number): number;
  /** The watermark before which no window can close because of a reading at that time; ascends with the time. */
  dueOf(timeUs: number, line: Line): number;
  /** Writes the first window from the cursor on that has a reading; false where there is none. */
  next(line: Line, into: NextWindow): boolean;
  /** How far a watermark moves the cursor, past windows that no reading can open any more. */
  cursorAt(watermarkUs: number): number;
  /** Readings before it may belong to windows that have closed without them. */
  closedThrough(cursorUs: number): number;
  /** Readings before it are in no window that is not final. */
  keepFrom(line: Line, finalUs: number): number;
  /** Whether one of the windows of a late reading was final already, others not. */
  isPartlyFinal(line: Line, late: LateReading): boolean;
  /** Marks the closed windows that a late reading belongs to and puts in those that it makes; whether there were any. */
  place(line: Line, late: LateReading): boolean;
}

/** The smallest event time of any metric that is not before a time; infinity where there is none. */
export function firstTime({ metrics }: Line, fromUs: number): number {
  let first = Infinity;
  for (const metric of metrics) first = Math.min(first, metric.nextTime(fromUs));
  return first;
}

/** The largest event time of any metric before a time; minus infinity where there is none. */
export function lastTime({ metrics }: Line, beforeUs: number): number {
  let last = -Infinity;
  for (const metric of metrics) last = Math.max(last, metric.previousTime(beforeUs));
  return last;
}

/** The last multiple of a hop that is not after a time. The remainder is exact in doubles; a quotient would not be. */
export function alignDown(timeUs: number, hopUs: number): number {
  const rest = timeUs % hopUs;
  return rest < 0 ? timeUs - rest - hopUs : timeUs - rest;
}

export function alignUp(timeUs: number, hopUs: number): number {
  const down = alignDown(timeUs, hopUs);
  return down === timeUs ? timeUs : down + hopUs;
}
