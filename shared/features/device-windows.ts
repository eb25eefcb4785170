import type { CheckpointReader, CheckpointWriter } from "./checkpoint.ts";
import type { CompiledView } from "./compile-view.ts";
import type { Samples } from "./samples.ts";
import { SortedReadings } from "./sorted-readings.ts";

/** One closing or revision of a window. */
export interface WindowResult {
  readonly startUs: number;
  readonly endUs: number;
  readonly revision: number;
  readonly readingCount: number;
  readonly values: readonly (number | undefined)[];
}

/** What became of the readings of a view, since its engine began. */
export interface EngineCounters {
  vectors: number;
  /** Vectors with a revision above 0. */
  revisions: number;
  /** Readings that came after one of their windows had closed and revised it. */
  late: number;
  /** Readings that came when one of their windows, or every one that there could have been, was already final. */
  lateBeyondCorrection: number;
  /** Readings that a window did without because READINGS_HELD_MAX of the metric were held already. */
  shedReadings: number;
  /** Readings of devices beyond DEVICES_MAX. */
  shedDevices: number;
  /** Devices whose windows began anew because RESTART_READINGS in a row were beyond correction. */
  restarts: number;
}

/**
 * How many readings of a device in a row, all beyond correction, make its windows begin anew at the time of the last.
 *
 * A clock that was ahead for a while moves the watermark there; when it is right again, everything would be late until
 * real time has caught up. More than what one message of history brings, and soon reached by a live device. A single
 * reading that is in time, or that still revises a window, begins the row anew: history that is sent between live
 * readings restarts nothing.
 */
export const RESTART_READINGS = 64;

/**
 * Most readings of one metric of one device that are held: 64 MiB. A device whose clock stands still would
 * otherwise fill the memory, because nothing closes.
 */
export const READINGS_HELD_MAX = 4_194_304;

/** A window that has closed and the state of the stateful functions just before. */
interface ClosedWindow {
  readonly startUs: number;
  readonly before: Float64Array;
}

/**
 * The windows of one view over one device: what is open, what can still be corrected.
 *
 * The watermark is the largest event time seen minus the allowed lateness. A window closes when the watermark
 * reaches its end, and is final once the watermark is `correctionUs` beyond that. Held are the readings that a
 * window which is not final may need: at most (size + allowed lateness + correction + hop) of event time,
 * 16 bytes each (twice that while a column grows), and a few numbers per window closed within the correction time.
 * When a device's readings stay beyond correction, its windows begin anew at their time (RESTART_READINGS); windows
 * that had closed ahead of them can then close a second time, under a later number.
 */
export class DeviceWindows {
  readonly #plan: CompiledView;
  readonly #counters: EngineCounters;
  /** One per metric; shared by all devices, overwritten by each window. */
  readonly #samples: readonly Samples[];
  readonly #metrics: readonly SortedReadings[];
  readonly #state: Float64Array;
  /** The largest event time seen. */
  #newestUs = -Infinity;
  /** The smallest event time seen that was not late: windows begin at or after it. */
  #earliestUs = Infinity;
  /** The end of the next window that can close. */
  #nextEndUs = Infinity;
  /** Closed windows that were revised and are not final, by start: the latest revision. */
  readonly #revisions = new Map<number, number>();
  /** Closed windows that are not final, oldest first; only for views with stateful functions. */
  #closed: ClosedWindow[] = [];
  /** Readings in a row that no window could take any more. */
  #beyondInARow = 0;

  constructor(
    plan: CompiledView,
    counters: EngineCounters,
    samples: readonly Samples[],
    from?: CheckpointReader,
  ) {
    this.#plan = plan;
    this.#counters = counters;
    this.#samples = samples;
    if (from === undefined) {
      this.#metrics = plan.metrics.map(() => new SortedReadings());
      this.#state = new Float64Array(plan.stateDoubles);
      return;
    }
    this.#newestUs = from.number();
    this.#earliestUs = from.number();
    this.#nextEndUs = from.number();
    this.#beyondInARow = from.count();
    this.#metrics = plan.metrics.map(() => new SortedReadings(from.column(), from.column()));
    this.#state = from.column();
    for (let left = from.count(); left > 0; left--) this.#revisions.set(from.number(), from.number());
    for (let left = from.count(); left > 0; left--)
      this.#closed.push({ startUs: from.number(), before: from.column() });
  }

  /** Writes what the constructor reads. */
  save(to: CheckpointWriter): void {
    to.number(this.#newestUs);
    to.number(this.#earliestUs);
    to.number(this.#nextEndUs);
    to.number(this.#beyondInARow);
    for (const metric of this.#metrics) {
      const { times, values } = metric.live();
      to.column(times);
      to.column(values);
    }
    to.column(this.#state);
    to.number(this.#revisions.size);
    for (const [startUs, revision] of this.#revisions) {
      to.number(startUs);
      to.number(revision);
    }
    to.number(this.#closed.length);
    for (const { startUs, before } of this.#closed) {
      to.number(startUs);
      to.column(before);
    }
  }

  /** Takes a reading of the metric at place `metric` and appends what it closes or revises, by window end. */
  add(metric: number, timeUs: number, value: number, results: WindowResult[]): void {
    const { allowedLatenessUs, hopUs, sizeUs } = this.#plan.window;
    if (timeUs < this.#newestUs - allowedLatenessUs && !this.#beginsAnew(timeUs)) {
      this.#addLate(metric, timeUs, value, results);
      return;
    }
    this.#beyondInARow = 0;
    if (timeUs < this.#earliestUs) {
      this.#earliestUs = timeUs;
      this.#nextEndUs = alignUp(timeUs, hopUs) + sizeUs;
    }
    if (timeUs > this.#newestUs) {
      this.#newestUs = timeUs;
      const watermarkUs = timeUs - allowedLatenessUs;
      // The reading is in no window that it closes; closing first makes room for it.
      if (watermarkUs >= this.#nextEndUs) this.#close(watermarkUs, results);
    }
    this.#hold(metric, timeUs, value);
  }

  /** Counts late readings whose every window is final; whether there were so many in a row that windows begin anew. */
  #beginsAnew(timeUs: number): boolean {
    const { allowedLatenessUs, correctionUs, hopUs, sizeUs } = this.#plan.window;
    const finalUs = this.#newestUs - allowedLatenessUs - correctionUs;
    this.#beyondInARow = alignDown(timeUs, hopUs) + sizeUs > finalUs ? 0 : this.#beyondInARow + 1;
    if (this.#beyondInARow < RESTART_READINGS) return false;
    this.#restart();
    return true;
  }

  /** Lets go of every window; what the stateful functions know of the device's life stays. */
  #restart(): void {
    this.#counters.restarts += 1;
    this.#newestUs = -Infinity;
    this.#earliestUs = Infinity;
    this.#nextEndUs = Infinity;
    for (const metric of this.#metrics) metric.evict(Infinity);
    this.#revisions.clear();
    this.#closed = [];
  }

  #hold(metric: number, timeUs: number, value: number): boolean {
    const readings = this.#metrics[metric];
    if (readings === undefined || readings.count >= READINGS_HELD_MAX) {
      this.#counters.shedReadings += 1;
      return false;
    }
    readings.insert(timeUs, value);
    return true;
  }

  /** Closes every window up to the watermark that has a reading; a gap costs nothing, however long. */
  #close(watermarkUs: number, results: WindowResult[]): void {
    const { hopUs, sizeUs } = this.#plan.window;
    for (let endUs = this.#nextEndUs; ; endUs += hopUs) {
      const firstUs = this.#nextTime(endUs - sizeUs);
      if (firstUs === Infinity) break;
      if (firstUs >= endUs) endUs = alignDown(firstUs, hopUs) + hopUs;
      if (endUs > watermarkUs) break;
      const bounds = { startUs: endUs - sizeUs, endUs };
      const readingCount = this.#select(endUs - sizeUs, endUs);
      const values = this.#plan.evaluate(this.#samples, this.#state, bounds);
      results.push({ ...bounds, revision: 0, readingCount, values });
      if (this.#state.length === 0) continue;
      this.#closed.push({ startUs: endUs - sizeUs, before: this.#state.slice() });
      this.#plan.advance(this.#samples, this.#state, bounds);
    }
    this.#nextEndUs = alignDown(watermarkUs, hopUs) + hopUs;
    this.#forget(watermarkUs);
  }

  /** Drops what only final windows need. */
  #forget(watermarkUs: number): void {
    const { hopUs, sizeUs, correctionUs } = this.#plan.window;
    const keepFromUs = alignDown(watermarkUs - correctionUs, hopUs) + hopUs - sizeUs;
    for (const metric of this.#metrics) metric.evict(keepFromUs);
    for (const startUs of this.#revisions.keys()) if (startUs < keepFromUs) this.#revisions.delete(startUs);
    const kept = this.#closed.findIndex((window) => window.startUs >= keepFromUs);
    this.#closed.splice(0, kept === -1 ? this.#closed.length : kept);
  }

  #addLate(metric: number, timeUs: number, value: number, results: WindowResult[]): void {
    const { allowedLatenessUs, correctionUs, hopUs, sizeUs } = this.#plan.window;
    const watermarkUs = this.#newestUs - allowedLatenessUs;
    const firstStartUs = alignUp(this.#earliestUs, hopUs);
    const firstEndUs = Math.max(alignDown(timeUs, hopUs) + hopUs, firstStartUs + sizeUs);
    const lastEndUs = alignDown(timeUs, hopUs) + sizeUs;
    const finalUs = watermarkUs - correctionUs;
    if (timeUs < this.#earliestUs || (firstEndUs <= lastEndUs && firstEndUs <= finalUs))
      this.#counters.lateBeyondCorrection += 1;
    if (lastEndUs <= finalUs || lastEndUs < firstEndUs) return;
    if (!this.#hold(metric, timeUs, value)) return;
    let revised = false;
    for (let endUs = firstEndUs; endUs <= Math.min(lastEndUs, watermarkUs); endUs += hopUs) {
      if (endUs <= finalUs) continue;
      results.push(this.#revise(endUs));
      revised = true;
    }
    if (revised) this.#counters.late += 1;
  }

  /** A closed window again, with a late reading in it: the next revision, or the first vector if it had been empty. */
  #revise(endUs: number): WindowResult {
    const startUs = endUs - this.#plan.window.sizeUs;
    const readingCount = this.#select(startUs, endUs);
    const revision = readingCount === 1 ? 0 : (this.#revisions.get(startUs) ?? 0) + 1;
    if (revision > 0) this.#revisions.set(startUs, revision);
    // The state before the next closed window is the state that this window closed with, had it been empty.
    const before = this.#closed.find((window) => window.startUs >= startUs)?.before ?? this.#state;
    const values = this.#plan.evaluate(this.#samples, before, { startUs, endUs });
    return { startUs, endUs, revision, readingCount, values };
  }

  /** Points the samples at the readings in [startUs, endUs) and returns how many there are. */
  #select(startUs: number, endUs: number): number {
    let count = 0;
    for (const [place, metric] of this.#metrics.entries()) {
      const from = metric.lowerBound(startUs);
      const to = metric.lowerBound(endUs);
      this.#samples[place]?.reset(metric.times, metric.values, from, to);
      count += to - from;
    }
    return count;
  }

  #nextTime(fromUs: number): number {
    let next = Infinity;
    for (const metric of this.#metrics) next = Math.min(next, metric.nextTime(fromUs));
    return next;
  }
}

// The remainder is exact in doubles; a quotient would not be.
function alignDown(timeUs: number, hopUs: number): number {
  const rest = timeUs % hopUs;
  return rest < 0 ? timeUs - rest - hopUs : timeUs - rest;
}

function alignUp(timeUs: number, hopUs: number): number {
  const down = alignDown(timeUs, hopUs);
  return down === timeUs ? timeUs : down + hopUs;
}
