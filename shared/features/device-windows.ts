import type { Closing } from "../contract/vector.ts";
import type { CheckpointReader, CheckpointWriter } from "./checkpoint.ts";
import { ClosedWindows } from "./closed-windows.ts";
import type { CompiledView } from "./compile-view.ts";
import type { EngineCounters } from "./engine-counters.ts";
import { type Inbox, WAITING_MAX } from "./inbox.ts";
import type { Panes } from "./panes.ts";
import type { Samples } from "./samples.ts";
import { type Heard, unheard } from "./silence.ts";
import { SortedReadings } from "./sorted-readings.ts";
import type { VectorContract } from "./vector-contract.ts";
import type { Line, NextWindow, WindowRule } from "./window-rule.ts";
import { panesOf } from "./window-rules.ts";

/** One closing or revision of a window. */
export interface WindowResult {
  readonly device: string;
  readonly startUs: number;
  readonly endUs: number;
  readonly revision: number;
  readonly closedBy: Closing;
  readonly readingCount: number;
  readonly values: readonly (number | undefined)[];
  readonly violations: readonly string[];
  readonly withheld: boolean;
}

/** What the devices of one view share. */
export interface ViewParts {
  readonly plan: CompiledView;
  readonly rule: WindowRule;
  readonly contract: VectorContract;
  readonly counters: EngineCounters;
  /** What is known of each device without looking at its windows. */
  readonly inbox: Inbox;
  /** One per metric; overwritten by each window. */
  readonly samples: readonly Samples[];
  /** Where the results of the message go. */
  readonly results: WindowResult[];
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

/** Most closed windows of one device that can be revised: 8 MiB, and what checkView allows for the states. */
export const CLOSED_WINDOWS_MAX = 262_144;

/** Overwritten by each look at the next window. */
const next: NextWindow = { startUs: 0, endUs: 0, dueUs: 0, dueForUs: 0, cursorUs: 0 };

/**
 * The windows of one view over one device: what is open, what can still be corrected.
 *
 * The watermark is the largest event time of all messages before, minus the allowed lateness. A window closes at the
 * end of the message that moves the watermark to where it is due, and is final once the watermark is `correctionUs`
 * beyond its end. Held are the readings that a window which is not final may need: at most (size + allowed lateness +
 * correction + hop) of event time, 16 bytes each (twice that while a column grows), 32 bytes and the functions' state
 * per closed window that is not final, the parts of the panes of one window (see Panes) and a row of the Inbox. Each has
 * a limit: READINGS_HELD_MAX, CLOSED_WINDOWS_MAX. When a device's readings stay beyond correction, its windows begin
 * anew at their time (RESTART_READINGS); windows that had closed ahead of them can then close a second time, under a
 * later number.
 */
export class DeviceWindows implements Line {
  readonly device: string;
  readonly metrics: readonly SortedReadings[];
  readonly closed: ClosedWindows;
  readonly state: Float64Array;
  earliestUs = Infinity;
  cursorUs = -Infinity;
  closedUs = -Infinity;
  /** Where it stands among those that may fall silent. */
  readonly heard: Heard<DeviceWindows>;
  /** Where its row is in the inbox. */
  readonly place: number;
  /** Whether something is to be done at the end of the message. */
  isTouched = false;
  readonly #view: ViewParts;
  readonly #panes: readonly (Panes | undefined)[];
  /** Windows that end by then were made final early. */
  #shedThroughUs = -Infinity;
  /** Readings in a row that no window could take any more. */
  #beyondInARow = 0;
  /** No window is due before the watermark is here; only a reading before `dueForUs` makes it earlier. */
  #dueUs = Infinity;
  #dueForUs = Infinity;
  /** Late readings of the message, metric and time of each. */
  #late: { readonly metric: number; readonly timeUs: number }[] = [];

  constructor(device: string, view: ViewParts, from?: CheckpointReader) {
    this.device = device;
    this.#view = view;
    this.heard = unheard(this);
    const { metrics, stateDoubles, window } = view.plan;
    this.#panes = metrics.map(() => panesOf(window));
    if (from === undefined) {
      this.place = view.inbox.add(-Infinity);
      this.metrics = metrics.map(() => new SortedReadings());
      this.closed = new ClosedWindows(stateDoubles);
      this.state = new Float64Array(stateDoubles);
      return;
    }
    this.earliestUs = from.number();
    this.cursorUs = from.number();
    this.place = view.inbox.add(from.number());
    this.closedUs = from.number();
    this.#shedThroughUs = from.number();
    this.#beyondInARow = from.count();
    this.#dueUs = from.number();
    this.#dueForUs = from.number();
    this.metrics = metrics.map(() => new SortedReadings(from.ascending(), from.column()));
    this.closed = new ClosedWindows(stateDoubles, from);
    this.state = from.column();
    this.#openInbox();
  }

  /** Writes what the constructor reads. Between two messages. */
  save(to: CheckpointWriter): void {
    this.#drain();
    this.#openInbox(); // There are more readings in the columns now.
    to.number(this.earliestUs);
    to.number(this.cursorUs);
    to.number(this.#newestUs);
    to.number(this.closedUs);
    to.number(this.#shedThroughUs);
    to.number(this.#beyondInARow);
    to.number(this.#dueUs);
    to.number(this.#dueForUs);
    for (const metric of this.metrics) {
      const { times, values } = metric.live();
      to.ascending(times);
      to.column(values);
    }
    this.closed.save(to);
    to.column(this.state);
  }

  /** The largest event time that the device has sent. */
  get #newestUs(): number {
    return this.#view.inbox.newestUs(this.place);
  }

  /** As the message began: what it has is late by what came before it. */
  get #watermarkUs(): number {
    return this.#view.inbox.newestBeforeUs(this.place) - this.#view.plan.window.allowedLatenessUs;
  }

  /** Takes a reading of the metric at place `metric` that cannot wait in the inbox, after all that do. */
  add(metric: number, timeUs: number, value: number): void {
    this.#drain();
    this.#take(metric, timeUs, value);
    this.#openInbox();
  }

  #drain(): void {
    this.#view.inbox.drain(this.place, this.#insert);
  }

  readonly #insert = (metric: number, timeUs: number, value: number): void => {
    this.metrics[metric]?.insert(timeUs, value);
  };

  /** Lets readings wait for which `#take` would do nothing but insert them. */
  #openInbox(): void {
    const { rule, inbox, plan } = this.#view;
    const isFull = this.metrics.some(({ count }) => count + WAITING_MAX >= READINGS_HELD_MAX);
    const fromUs =
      isFull || this.#beyondInARow > 0
        ? Infinity
        : Math.max(this.#newestUs, this.#dueForUs, this.closedUs, rule.closedThrough(this.cursorUs));
    inbox.open(this.place, fromUs, this.#dueUs + plan.window.allowedLatenessUs);
  }

  #take(metric: number, timeUs: number, value: number): void {
    const { rule, counters, plan } = this.#view;
    if (timeUs < this.#watermarkUs) {
      if (this.#isBeyond(metric, timeUs)) return;
    } else if (timeUs < this.earliestUs && this.closedUs === -Infinity) {
      this.earliestUs = timeUs;
      this.cursorUs = rule.begin(timeUs);
      this.#dueForUs = Infinity; // What was due first was so by the old beginning.
    }
    this.#beyondInARow = 0;
    if (timeUs > this.#newestUs) this.#view.inbox.setNewest(this.place, timeUs);
    const readings = this.metrics[metric];
    if (readings === undefined) return;
    if (readings.count >= READINGS_HELD_MAX) this.settle(); // To close what time has reached makes room.
    if (readings.count >= READINGS_HELD_MAX) {
      counters.shedReadings += 1;
      return;
    }
    readings.insert(timeUs, value);
    if (timeUs < this.#dueForUs) {
      this.#dueForUs = timeUs;
      this.#dueUs = Math.min(this.#dueUs, rule.dueOf(timeUs, this));
    }
    // Where nothing has closed, a reading in time can be before the cursor: it is before the first window.
    const canBeClosed = this.closedUs !== -Infinity || timeUs < this.#watermarkUs;
    if (canBeClosed && timeUs < Math.max(this.closedUs, rule.closedThrough(this.cursorUs))) {
      this.#panes[metric]?.invalidate(timeUs);
      this.#late.push({ metric, timeUs });
      this.isTouched = true;
    } else if (this.#newestUs - plan.window.allowedLatenessUs >= this.#dueUs) {
      this.isTouched = true;
    }
  }

  /** Ends the message: each window that late readings belong to is revised, once, and those that are due close. */
  settle(): void {
    this.isTouched = false;
    this.#drain();
    this.#revise();
    const watermarkUs = this.#newestUs - this.#view.plan.window.allowedLatenessUs;
    if (watermarkUs >= this.#dueUs) {
      this.#close(watermarkUs, "watermark");
      this.cursorUs = Math.max(this.cursorUs, this.#view.rule.cursorAt(watermarkUs));
      this.#forget(watermarkUs);
    }
    this.#openInbox();
  }

  /** Closes every window that has a reading, because the device is silent. Between two messages. */
  closeIdle(): void {
    this.#drain();
    this.#close(Infinity, "idle");
    this.#openInbox();
  }

  /** Windows that end by then are final. */
  #finalUs(watermarkUs: number): number {
    return Math.max(watermarkUs - this.#view.plan.window.correctionUs, this.#shedThroughUs);
  }

  /** Counts a late reading that comes after one of its windows is final; whether that is so of every one. */
  #isBeyond(metric: number, timeUs: number): boolean {
    const { rule, counters } = this.#view;
    const finalUs = this.#finalUs(this.#watermarkUs);
    this.closed.dropThrough(finalUs);
    this.cursorUs = Math.max(this.cursorUs, rule.cursorAt(this.#watermarkUs));
    if (timeUs >= rule.keepFrom(this, finalUs)) {
      if (rule.isPartlyFinal(this, { metric, timeUs, finalUs })) counters.lateBeyondCorrection += 1;
      return false;
    }
    this.#beyondInARow += 1;
    if (this.#beyondInARow >= RESTART_READINGS) {
      this.#restart(timeUs);
      return false;
    }
    counters.lateBeyondCorrection += 1;
    return true;
  }

  /** Lets go of every window; what the stateful functions know of the device's life stays. */
  #restart(timeUs: number): void {
    this.settle(); // What the message has brought before.
    this.#view.counters.restarts += 1;
    this.#view.inbox.forget(this.place);
    this.closedUs = -Infinity;
    this.#shedThroughUs = -Infinity;
    this.#dueUs = Infinity;
    this.#dueForUs = Infinity;
    for (const metric of this.metrics) metric.evict(Infinity);
    for (const panes of this.#panes) panes?.clear();
    this.closed.clear();
    this.earliestUs = timeUs;
    this.cursorUs = this.#view.rule.begin(timeUs);
  }

  #revise(): void {
    if (this.#late.length === 0) return;
    const { rule, counters } = this.#view;
    const finalUs = this.#finalUs(this.#watermarkUs);
    this.closed.dropThrough(finalUs);
    this.#late.sort((a, b) => a.timeUs - b.timeUs || a.metric - b.metric);
    for (const { metric, timeUs } of this.#late)
      if (rule.place(this, { metric, timeUs, finalUs })) counters.late += 1;
    this.#late = [];
    this.closed.revise((startUs, endUs, revision, before) =>
      this.#result({ startUs, endUs, revision, closedBy: "watermark" }, before),
    );
    this.closedUs = Math.max(this.closedUs, this.closed.lastEndUs);
  }

  /** Closes every window that is due by a watermark and has a reading; a gap costs nothing, however long. */
  #close(watermarkUs: number, closedBy: Closing): void {
    const { rule, plan, samples } = this.#view;
    while (rule.next(this, next)) {
      const { startUs, endUs, dueUs, dueForUs } = next;
      if (dueUs > watermarkUs) {
        this.#dueUs = dueUs;
        this.#dueForUs = dueForUs;
        return;
      }
      this.cursorUs = next.cursorUs;
      this.#result({ startUs, endUs, revision: 0, closedBy }, this.state);
      this.closed.append(startUs, endUs, this.state);
      this.closedUs = Math.max(this.closedUs, endUs);
      plan.advance(samples, this.state, { startUs, endUs });
    }
    this.#dueUs = Infinity;
    this.#dueForUs = Infinity;
  }

  /** Drops what only final windows need. */
  #forget(watermarkUs: number): void {
    const { closed } = this;
    if (closed.count > CLOSED_WINDOWS_MAX) {
      const shed = closed.count - CLOSED_WINDOWS_MAX;
      this.#view.counters.shedWindows += shed;
      this.#shedThroughUs = closed.endUs(closed.first + shed - 1);
    }
    const finalUs = this.#finalUs(watermarkUs);
    closed.dropThrough(finalUs);
    const keepFromUs = this.#view.rule.keepFrom(this, finalUs);
    for (const metric of this.metrics) metric.evict(keepFromUs);
  }

  #result(
    window: Pick<WindowResult, "startUs" | "endUs" | "revision" | "closedBy">,
    before: Float64Array,
  ): void {
    const { plan, contract, samples, results } = this.#view;
    let readingCount = 0;
    for (const [place, metric] of this.metrics.entries())
      readingCount += samples[place]?.select(metric, window, this.#panes[place]) ?? 0;
    const values = plan.evaluate(samples, before, window);
    const verdict = contract.judge({
      device: this.device,
      windowEndUs: window.endUs,
      revision: window.revision,
      values,
      newestUs: (metric) => samples[plan.metrics.indexOf(metric)]?.newestUs(),
    });
    results.push({ device: this.device, ...window, readingCount, values, ...verdict });
  }
}
