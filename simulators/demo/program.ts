import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import type { Clock } from "@sluice/shared/runtime/clock.ts";

export interface ProgramOptions {
  readonly name: string;
  /** The Node that runs it, and its arguments. */
  readonly execPath: string;
  readonly args: readonly string[];
  /** Everything that it prints goes here. */
  readonly logFile: string;
  readonly clock: Clock;
  /** Called when it ends without having been stopped. */
  readonly ended: (how: string) => void;
}

/** How long a program may take to stop by itself before it is killed. */
const STOP_DEADLINE_MS = 25_000;

/** How much of what a program printed last is shown when it ends by itself. */
const TAIL_CHARS = 2_000;

/**
 * One of the demo's processes: started in its own process group, so that Ctrl-C reaches it through us alone, and with
 * a channel to us, so that it stops by itself when we are gone, however we went.
 */
export class Program {
  readonly name: string;
  readonly #clock: Clock;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #stopping = false;
  #tail = "";

  constructor({ name, execPath, args, logFile, clock, ended }: ProgramOptions) {
    this.name = name;
    this.#clock = clock;
    const log = createWriteStream(logFile, { flags: "a" });
    log.on("error", (error) => ended(`its log cannot be written: ${error.message}`));
    this.#child = spawn(execPath, args, { stdio: ["ignore", "pipe", "pipe", "ipc"], detached: true });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        log.write(chunk);
        this.#tail = (this.#tail + chunk.toString()).slice(-TAIL_CHARS);
      });
    this.#exited = new Promise((resolve) => {
      this.#child.once("error", (error) => {
        if (!this.#stopping) ended(error.message);
        resolve();
      });
      // Not "exit": by then its last words may not have been read.
      this.#child.once("close", (code, signal) => {
        log.end();
        if (!this.#stopping)
          ended(`${signal === null ? `exit code ${code}` : `signal ${signal}`}\n${this.#tail}`);
        resolve();
      });
    });
  }

  /** Asks it to stop, waits, and kills it when it does not. Returns whether it stopped by itself. */
  async stop(): Promise<boolean> {
    this.#stopping = true;
    this.#child.kill("SIGTERM");
    const timer = new AbortController();
    const inTime = await Promise.race([
      this.#exited.then(() => true),
      this.#clock.sleep(STOP_DEADLINE_MS, timer.signal).then(() => false),
    ]);
    timer.abort();
    if (!inTime) this.#child.kill("SIGKILL");
    await this.#exited;
    return inTime;
  }
}

/** Runs a program that ends by itself. Throws with what it printed where it fails. */
export function runToEnd(execPath: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let printed = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        printed = (printed + chunk.toString()).slice(-TAIL_CHARS);
      });
    child.once("error", reject);
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(printed))));
  });
}
