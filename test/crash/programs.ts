import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@sluice/shared/runtime/clock.ts";

const ROOT = join(import.meta.dirname, "../..");
export const GATEWAY = join(ROOT, "edge/main.ts");
export const CLOUD = join(ROOT, "cloud/main.ts");

/** The longest that a program may take to be ready, and that anything is waited for, on a busy machine. */
const LIMIT_MS = 60_000;
const POLL_MS = 15;

/** What Node has compiled before, so that a start takes less of a machine that starts a thousand. */
const compileCache = join(tmpdir(), `sluice-crash-compiled-${process.pid}`);
process.on("exit", () => rmSync(compileCache, { recursive: true, force: true }));

/** What is running now: nothing may outlive the suite. */
const running = new Set<ChildProcess>();

export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of its own, as somebody sees it who has started it. */
export class Program {
  readonly printed = { stdout: "", stderr: "" };
  readonly ended: Promise<End>;
  readonly startedUs = systemClock.monotonicUs();
  end: End | undefined;
  readonly #child: ChildProcess;

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(command, args, {
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    running.add(child);
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.printed.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.printed.stderr += text));
    this.ended = once(child, "close").then(() => {
      running.delete(child);
      return (this.end = { code: child.exitCode, signal: child.signalCode });
    });
    child.on("error", (error) => (this.printed.stderr += String(error)));
  }

  static node(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
    return new Program(process.execPath, [script, ...args], env);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<End> {
    this.signal("SIGKILL");
    return this.ended;
  }

  /** The first line that it prints; undefined where it ends before. */
  async firstLine(): Promise<string | undefined> {
    const line = (): string | undefined =>
      this.printed.stdout.includes("\n") ? this.printed.stdout.split("\n")[0] : undefined;
    await until("a program is ready", () => line() !== undefined || this.end !== undefined);
    return line();
  }
}

/** Runs a command of a program to its end; what it printed. Throws where it fails. */
export async function command(script: string, args: readonly string[]): Promise<string> {
  const program = Program.node(script, args);
  const timer = new AbortController();
  void systemClock.sleep(LIMIT_MS, timer.signal).then(() => program.signal("SIGKILL"));
  const { code, signal } = await program.ended;
  timer.abort();
  if (code === 0) return program.printed.stdout;
  throw new Error(`${args.join(" ")} ended with ${code ?? signal}: ${program.printed.stderr}`);
}

/** Asks again and again until it is so; throws with `what` and the evidence when it takes too long. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  { limitMs = LIMIT_MS, evidence = (): string => "" } = {},
): Promise<void> {
  const endUs = systemClock.monotonicUs() + limitMs * 1_000;
  while (!(await isSo())) {
    if (systemClock.monotonicUs() > endUs) throw new Error(`waited in vain: ${what} ${evidence()}`);
    await systemClock.sleep(POLL_MS);
  }
}

/** Below the ports that the system gives to outgoing connections, so that nobody takes one while its owner is dead. */
let nextPort = 20_000 + (process.pid % 1_000) * 10;

/** A port that this process gives out once and that nobody listens on. */
export async function givePort(): Promise<number> {
  for (;;) {
    nextPort = nextPort >= 32_000 ? 20_000 : nextPort + 1;
    const port = nextPort;
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
