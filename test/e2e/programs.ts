import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { GatewayStatus } from "@sluice/edge/status/gateway-status.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { onTestFinished } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const MAIN = { gateway: join(ROOT, "edge/main.ts"), cloud: join(ROOT, "cloud/main.ts") };
export type ProgramName = keyof typeof MAIN;

/** The longest that a command may take on a busy machine, and that anything is waited for. */
const LIMIT_MS = 30_000;
const POLL_MS = 40;

/** What somebody who ran a program has seen of it. A negative code: it was killed. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Watched {
  readonly printed: { stdout: string; stderr: string };
  readonly ended: Promise<Outcome>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** Starts a program; it does not outlive its test. */
function watch(program: ProgramName, args: readonly string[]): Watched {
  const child = spawn(process.execPath, [MAIN[program], ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const printed = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (printed.stderr += text));
  const ended = once(child, "close").then(() => ({ code: child.exitCode ?? -1, ...printed }));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return { printed, ended, kill: (signal) => void child.kill(signal) };
}

/** Runs a program that ends by itself. */
export async function run(program: ProgramName, ...args: readonly string[]): Promise<Outcome> {
  const watched = watch(program, args);
  const timer = new AbortController();
  void systemClock.sleep(LIMIT_MS, timer.signal).then(() => watched.kill("SIGKILL"));
  const outcome = await watched.ended;
  timer.abort();
  return outcome;
}

/** Asks again and again until there is an answer; an error with `what` and the newest evidence when it takes too long. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  evidence: () => unknown = () => "",
): Promise<T> {
  const endUs = systemClock.monotonicUs() + LIMIT_MS * 1_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (systemClock.monotonicUs() > endUs) throw new Error(`waited in vain: ${what}; ${String(evidence())}`);
    await systemClock.sleep(POLL_MS);
  }
}

/** Waits for the line by which a service says that it is ready. Throws with what it printed where it ends instead. */
function ready({ printed, ended }: Watched): Promise<string> {
  let end: Outcome | undefined;
  void ended.then((outcome) => (end = outcome));
  return until(
    "the service is ready",
    () => {
      if (end !== undefined) throw new Error(`the service ended with ${end.code}: ${end.stderr}`);
      return printed.stdout.includes("\n")
        ? printed.stdout.slice(0, printed.stdout.indexOf("\n"))
        : undefined;
    },
    () => printed.stderr,
  );
}

/** A cloud service in a process of its own that has said that it is ready. */
export class RunningCloud {
  /** host:port */
  readonly status: string;
  readonly #watched: Watched;

  private constructor(watched: Watched, ready: { readonly status: string }) {
    this.#watched = watched;
    this.status = ready.status;
  }

  static async start(settingsFile: string): Promise<RunningCloud> {
    const watched = watch("cloud", ["run", "--config", settingsFile, "--json"]);
    return new RunningCloud(watched, JSON.parse(await ready(watched)));
  }

  async stop(): Promise<Outcome> {
    this.#watched.kill("SIGTERM");
    return this.#watched.ended;
  }

  async kill(): Promise<void> {
    this.#watched.kill("SIGKILL");
    await this.#watched.ended;
  }
}

/** A gateway in a process of its own that has said that it is ready. */
export class RunningGateway {
  /** host:port */
  readonly mqtt: string;
  readonly status: string;
  readonly #watched: Watched;

  private constructor(
    watched: Watched,
    ready: { readonly mqtt: readonly string[]; readonly status: string },
  ) {
    this.#watched = watched;
    this.mqtt = ready.mqtt[0] ?? "";
    this.status = ready.status;
  }

  static async start(settingsFile: string): Promise<RunningGateway> {
    const watched = watch("gateway", ["run", "--config", settingsFile, "--json"]);
    return new RunningGateway(watched, JSON.parse(await ready(watched)));
  }

  get url(): string {
    return `mqtt://${this.mqtt}`;
  }

  get stderr(): string {
    return this.#watched.printed.stderr;
  }

  async getStatus(): Promise<GatewayStatus> {
    const response = await fetch(`http://${this.status}/status`);
    return JSON.parse(await response.text());
  }

  async getHealth(): Promise<{ readonly code: number; readonly problems: readonly string[] }> {
    const response = await fetch(`http://${this.status}/healthz`);
    return { code: response.status, problems: JSON.parse(await response.text()).problems };
  }

  /** The first status that is as wished. */
  async statusWhen(what: string, isSo: (status: GatewayStatus) => boolean): Promise<GatewayStatus> {
    let newest: GatewayStatus | undefined;
    return until(
      what,
      async () => {
        newest = await this.getStatus();
        return isSo(newest) ? newest : undefined;
      },
      () => `${JSON.stringify(newest)}\n${this.stderr}`,
    );
  }

  /** Waits until everything that was acknowledged is decoded and in the lake. */
  drained(): Promise<GatewayStatus> {
    return this.statusWhen("everything is in the lake", ({ buffer, sync }) => {
      const isDecoded = buffer.decodedThrough + 1 === buffer.nextOffset;
      return isDecoded && sync.pendingRows === 0 && buffer.outbox.batches === 0;
    });
  }

  /** Asks it to stop, as Ctrl-C does. */
  async stop(): Promise<Outcome> {
    this.#watched.kill("SIGTERM");
    return this.#watched.ended;
  }

  /** Kills it without asking, as a power cut does. */
  async kill(): Promise<void> {
    this.#watched.kill("SIGKILL");
    await this.#watched.ended;
  }
}
