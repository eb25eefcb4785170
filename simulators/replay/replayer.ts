import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { PublisherStats } from "../fleet/publisher.ts";
import { AcknowledgedPrefix } from "./acknowledged-prefix.ts";
import { messageOf } from "./message.ts";
import type { ReplayMap } from "./replay-map.ts";
import type { Row } from "./row.ts";

/** What a replay needs of its publisher. */
export interface ReplayPublisher {
  publish(topic: string, payload: string): Promise<void>;
  room(signal: AbortSignal): Promise<void>;
  drain(deadlineMs: number): Promise<number>;
  stats(): PublisherStats;
}

export interface ReplayRun {
  readonly rows: AsyncIterable<Row>;
  readonly map: ReplayMap;
  readonly publisher: ReplayPublisher;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Event time over wall time; 0: as fast as acknowledgements allow. */
  readonly speed: number;
  /** Longer silences in the recording are shortened to this. */
  readonly gapMaxUs: number;
  readonly shiftUs: number;
  /** Rows from the beginning that an earlier run got acknowledged. */
  readonly skipRows: number;
  readonly drainMs: number;
  /** Called about every second and once at the end. */
  readonly progress: (progress: ReplayProgress) => Promise<void>;
}

export interface ReplayProgress {
  /** Rows put into the publisher, counted from the recording's beginning. */
  readonly rows: number;
  /** Rows acknowledged without a gap, counted likewise. */
  readonly acknowledged: number;
  readonly elapsedMs: number;
}

const PROGRESS_INTERVAL_US = 1_000_000;

/** Publishes rows in their order and at their pace; resolves once everything is acknowledged or it is stopped. */
export class Replayer {
  readonly #run: ReplayRun;
  readonly #prefix: AcknowledgedPrefix;
  readonly #startedAtUs: number;
  #row: number;
  #reportedAtUs: number;
  /** Event time that has passed since the first row of this run, silences shortened. */
  #playedUs = 0;
  #latestUs: number | undefined;

  constructor(run: ReplayRun) {
    this.#run = run;
    this.#prefix = new AcknowledgedPrefix(run.skipRows);
    this.#row = run.skipRows;
    this.#startedAtUs = this.#reportedAtUs = run.clock.monotonicUs();
  }

  async run(): Promise<ReplayProgress> {
    const { rows, signal, publisher, skipRows, drainMs, progress } = this.#run;
    let toSkip = skipRows;
    for await (const row of rows) {
      if (signal.aborted) break;
      if (toSkip > 0) {
        toSkip--;
        continue;
      }
      await this.#await(row);
      await publisher.room(signal);
      if (signal.aborted) break;
      this.#publish(row);
      if (this.#run.clock.monotonicUs() - this.#reportedAtUs >= PROGRESS_INTERVAL_US) await this.#report();
    }
    await this.#drain(drainMs);
    await progress(this.#progress());
    return this.#progress();
  }

  #publish(row: Row): void {
    const { publisher, map, shiftUs } = this.#run;
    const { topic, payload } = messageOf(row, map, shiftUs);
    const number = this.#row++;
    publisher.publish(topic, payload).then(
      () => this.#prefix.add(number),
      // Not acknowledged: the prefix ends before it and the summary says so.
      () => undefined,
    );
  }

  /** Waits until the row's moment has come. */
  async #await({ measuredAtUs }: Row): Promise<void> {
    const { speed, gapMaxUs, clock, signal } = this.#run;
    // A row from before the latest one is late in the recording too: it is published at once.
    const passedUs = Math.max(0, measuredAtUs - (this.#latestUs ?? measuredAtUs));
    this.#latestUs = Math.max(measuredAtUs, this.#latestUs ?? measuredAtUs);
    if (speed === 0) return;
    this.#playedUs += Math.min(gapMaxUs, passedUs);
    const dueUs = this.#startedAtUs + this.#playedUs / speed;
    while (dueUs - clock.monotonicUs() >= 1_000 && !signal.aborted) {
      const waitUs = Math.min(dueUs - clock.monotonicUs(), PROGRESS_INTERVAL_US);
      await clock.sleep(waitUs / 1_000, signal);
      if (clock.monotonicUs() - this.#reportedAtUs >= PROGRESS_INTERVAL_US) await this.#report();
    }
  }

  async #drain(deadlineMs: number): Promise<void> {
    const { clock, publisher, signal } = this.#run;
    const endUs = clock.monotonicUs() + deadlineMs * 1_000;
    while ((await publisher.drain(1_000)) > 0) {
      await this.#report();
      if (signal.aborted && clock.monotonicUs() >= endUs) break;
    }
    // The last acknowledgements' own continuations.
    await Promise.resolve();
  }

  async #report(): Promise<void> {
    this.#reportedAtUs = this.#run.clock.monotonicUs();
    await this.#run.progress(this.#progress());
  }

  #progress(): ReplayProgress {
    const elapsedMs = (this.#run.clock.monotonicUs() - this.#startedAtUs) / 1_000;
    return { rows: this.#row, acknowledged: this.#prefix.count, elapsedMs };
  }
}
