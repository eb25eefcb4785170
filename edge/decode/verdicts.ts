import type { RawMessage } from "@sluice/shared/contract/message.ts";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import { ContractWatch, type ContractWatchState, type WatchStatus } from "./contract-watch.ts";
import { NewMetrics, type UnlistedMetric } from "./new-metrics.ts";
import type { ReadingColumns } from "./reading-columns.ts";
import type { WatchRules } from "./watched-device.ts";

/** A device that sent something, as far as it matters to its contract. */
export interface JudgedDevice {
  readonly key: string;
  readonly name: string;
  readonly type: string;
  /** Whether its contract promises something over more than one message. */
  readonly isWatched: boolean;
}

/** What one value of a message turned out to be. */
interface Found {
  readonly device: JudgedDevice;
  readonly metric: string | undefined;
  readonly index: number;
  readonly isRefused: boolean;
  readonly unlisted: UnlistedMetric | undefined;
}

export interface VerdictsState {
  readonly watched: ContractWatchState;
  readonly newMetrics: readonly string[];
}

interface VerdictParts {
  readonly columns: ReadingColumns;
  readonly rules: ReadonlyMap<string, WatchRules>;
  readonly tell: (event: NewEvent) => void;
}

/**
 * Collects what the values of a message turned out to be and has it judged when the message is through: a message that
 * is malformed at its end counts as one violation, and a reading that came before as a duplicate counts as nothing.
 *
 * Messages of the spool are history, and say nothing about how a device is now: nobody is judged by them.
 */
export class Verdicts {
  readonly #columns: ReadingColumns;
  readonly #watch: ContractWatch;
  readonly #newMetrics: NewMetrics;
  #found: Found[] = [];
  #isLive = true;

  constructor({ columns, rules, tell }: VerdictParts) {
    this.#columns = columns;
    this.#watch = new ContractWatch({ rules, tell, readings: columns });
    this.#newMetrics = new NewMetrics(tell);
  }

  /** The next message has arrived. */
  message(message: RawMessage, { isLive }: { readonly isLive: boolean }): void {
    this.#isLive = isLive;
    this.#watch.arrive(message);
  }

  /** The gateway's clock was set by so much before the message that comes next. */
  clockStepped(stepUs: number): void {
    this.#watch.clockStepped(stepUs);
  }

  /** Whether a metric that no contract lists has been told already. */
  isKnown(unlisted: UnlistedMetric): boolean {
    return this.#newMetrics.isKnown(unlisted);
  }

  add(found: Found): void {
    this.#found.push(found);
  }

  /** Names the metric of what was added last. */
  nameLast(metric: string): void {
    const last = this.#found.pop();
    if (last !== undefined) this.#found.push({ ...last, metric });
  }

  /** Forgets what was found in the message at hand; what is wrong with it is one violation, where its device is known. */
  abandon(device: JudgedDevice | undefined): void {
    this.#found = [];
    if (device?.isWatched === true)
      this.add({ device, metric: undefined, index: 0, isRefused: true, unlisted: undefined });
  }

  /** Judges what was found in the message, whose readings are the rows from `fromRow` on. */
  settle(message: RawMessage, fromRow: number): void {
    if (this.#found.length === 0) return;
    let row = fromRow;
    for (const found of this.#found) {
      const { device, index, isRefused, unlisted } = found;
      while (row < this.#columns.count && this.#columns.indexAt(row) < index) row += 1;
      const isStored = !isRefused && row < this.#columns.count && this.#columns.indexAt(row) === index;
      if (isStored && unlisted !== undefined) this.#newMetrics.notice(unlisted, device.name, message);
      if (this.#isLive && device.isWatched && (isStored || isRefused))
        this.#watch.judge(found, isStored ? row : undefined, message);
    }
    this.#found = [];
  }

  status(shownMax: number): WatchStatus {
    return this.#watch.status(shownMax);
  }

  /** What was counted since the last time, by counter. */
  finish(): ReadonlyMap<string, number> {
    const counts = new Map(this.#watch.finish());
    const { told, untold } = this.#newMetrics.finish();
    if (told > 0) counts.set("metrics.new", told);
    if (untold > 0) counts.set("metrics.new_untold_readings", untold);
    return counts;
  }

  state(): VerdictsState {
    return { watched: this.#watch.state(), newMetrics: this.#newMetrics.state() };
  }

  restore({ watched, newMetrics }: VerdictsState): void {
    this.#watch.restore(watched);
    this.#newMetrics.restore(newMetrics);
  }
}
