import { statSync } from "node:fs";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";

export interface RereadOptions {
  readonly files: readonly string[];
  /** Reads them and puts them to use; throws where they cannot be used, and what was there before stays. */
  readonly load: () => void;
  readonly everyS: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Files that are read at the start and again when they change, without a restart or a signal. */
export class RereadFiles {
  readonly #options: RereadOptions;
  readonly #stopping = new AbortController();
  #seen = "";
  #running = Promise.resolve();
  /** Why the newest files are not in use. */
  #problem: string | undefined;

  constructor(options: RereadOptions) {
    this.#options = options;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** Throws what `load` throws: a start with files that cannot be used is a mistake. */
  start(): void {
    this.#seen = this.#stamp();
    this.#options.load();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Reads them again if they have changed since. */
  check(): void {
    const stamp = this.#stamp();
    if (stamp === this.#seen) return;
    const { files, load, log } = this.#options;
    this.#seen = stamp;
    try {
      load();
      this.#problem = undefined;
      log.info({ files }, "files that have changed are in use");
    } catch (error) {
      this.#problem = `files that have changed cannot be used, those from before still are: ${describeError(error)}`;
      log.error({ files }, this.#problem);
    }
  }

  async #run(): Promise<void> {
    const { clock, everyS } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      await clock.sleep(everyS * 1_000, signal);
      if (signal.aborted) return;
      this.check();
    }
  }

  #stamp(): string {
    return this.#options.files.map(stampOf).join("\n");
  }
}

/** Changes with the file; one that cannot be looked at is for `load` to explain, and must not end the gateway. */
function stampOf(file: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (error) {
    return describeError(error);
  }
}
