import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, type PipelineError } from "@sluice/shared/runtime/errors.ts";
import { probeDisk } from "./disk-failure.ts";

export interface DiskOutageOptions {
  /** The buffer's folder. */
  readonly dir: string;
  readonly clock: Clock;
  /** Called once for each outage. */
  readonly began: (reason: string) => void;
  /** Called once the buffer has been open for a while again. */
  readonly ended: () => void;
}

/** The waits between two tries: doubled each time. For ever, because a box in the field has nobody. */
const WAIT_MS_MIN = 250;
const WAIT_MS_MAX = 10_000;

/** How long a buffer that was opened anew must hold, so that the outage counts as over. */
const HOLD_MS = 5_000;

/**
 * Times in which the disk of a buffer cannot be written to.
 *
 * A disk that takes a probe and then fails again does not begin another outage: the waits go on to grow, and nothing
 * more is said, until the buffer has held for a while.
 */
export class DiskOutage {
  readonly #options: DiskOutageOptions;
  readonly #halt = new AbortController();
  #reason: string | undefined;
  #isSaid = false;
  #tries = 0;
  #openings = 0;

  constructor(options: DiskOutageOptions) {
    this.#options = options;
  }

  /** Why nothing can be stored; undefined while it can. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Resolves when the disk takes what is written to it; the buffer is to be opened then. False where it was halted. */
  async wait(error: PipelineError): Promise<boolean> {
    const { dir, clock, began } = this.#options;
    this.#openings++;
    this.#reason = describeError(error);
    // SQLite does not say why a write failed, the file system does.
    let failure = await probeDisk(dir);
    if (failure !== undefined) this.#reason = describeError(failure);
    if (!this.#isSaid) began(this.#reason);
    this.#isSaid = true;
    do {
      await clock.sleep(Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** this.#tries++), this.#halt.signal);
      if (this.#halt.signal.aborted) return false;
      failure = await probeDisk(dir);
      if (failure !== undefined) this.#reason = describeError(failure);
    } while (failure !== undefined);
    return !this.#halt.signal.aborted;
  }

  /** To be called when the buffer is open. */
  opened(): void {
    if (this.#reason === undefined) return;
    this.#reason = undefined;
    const opening = ++this.#openings;
    void this.#hold(opening);
  }

  async #hold(opening: number): Promise<void> {
    const { clock, ended } = this.#options;
    await clock.sleep(HOLD_MS, this.#halt.signal);
    if (opening !== this.#openings || this.#halt.signal.aborted) return;
    this.#tries = 0;
    this.#isSaid = false;
    ended();
  }

  /** Ends every wait. */
  halt(): void {
    this.#halt.abort();
  }
}
