import { systemClock } from "@sluice/shared/runtime/clock.ts";

export const SOFTWARE_VERSION = "0.1.0";

/** A log file that is a line longer every ten seconds is still read. */
const PROGRESS_LINE_INTERVAL_US = 10_000_000;
let quietUntilUs = systemClock.monotonicUs() + PROGRESS_LINE_INTERVAL_US;

const interruption = new AbortController();

/** What only the program's entry may know of its process. */
export interface Host {
  readonly argv: readonly string[];
  /** Answers, on standard output. */
  readonly print: (text: string) => void;
  /** Progress and complaints, on standard error. */
  readonly complain: (text: string) => void;
  /** Rewrites the last line of standard error where that is a terminal; a line every ten seconds where it is not. */
  readonly progress: (text: string) => void;
  /** A screen to paint on; without a width it is not one, and takes whole lines only. */
  readonly terminal: {
    readonly widthChars: number | undefined;
    readonly heightRows: number | undefined;
    write(text: string): void;
  };
  /** The Node that runs this program. */
  readonly execPath: string;
  readonly exit: (code: number) => never;
  /** Aborts at the first Ctrl-C or SIGTERM, or when the program that started us is gone; a second ends the process. */
  readonly interrupted: AbortSignal;
}

export const host: Host & { listenForSignals(): void } = {
  argv: process.argv,
  print: (text) => void process.stdout.write(`${text}\n`),
  complain: (text) => void process.stderr.write(`${text}\n`),
  progress: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
    else if (text !== "" && systemClock.monotonicUs() >= quietUntilUs) {
      quietUntilUs = systemClock.monotonicUs() + PROGRESS_LINE_INTERVAL_US;
      process.stderr.write(`${text}\n`);
    }
  },
  terminal: {
    get widthChars() {
      return process.stdout.isTTY ? process.stdout.columns : undefined;
    },
    get heightRows() {
      return process.stdout.isTTY ? process.stdout.rows : undefined;
    },
    write: (text) => void process.stdout.write(text),
  },
  execPath: process.execPath,
  exit: (code) => process.exit(code),
  interrupted: interruption.signal,
  listenForSignals: () => {
    const interrupt = (): void => {
      if (interruption.signal.aborted) process.exit(1);
      interruption.abort();
    };
    process.on("SIGINT", interrupt);
    process.on("SIGTERM", interrupt);
    process.on("disconnect", interrupt);
  },
};
