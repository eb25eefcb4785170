import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { GatewayStatus } from "@sluice/edge/status/gateway-status.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";

const ROOT = join(import.meta.dirname, "../..");
const MAIN = {
  gateway: join(ROOT, "edge/main.ts"),
  cloud: join(ROOT, "cloud/main.ts"),
  sim: join(ROOT, "simulators/main.ts"),
};

/** The longest that a command may take, and that anything is waited for: training on a busy machine is the longest. */
const LIMIT_MS = 180_000;
const POLL_MS = 20;
/** Storing what is on its way takes a few milliseconds. */
const SETTLED_MS = 100;

/** What is running now: nothing may outlive the proof. */
const running = new Set<ChildProcess>();

export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

function start(program: keyof typeof MAIN, args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN[program], ...args], { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  child.once("close", () => running.delete(child));
  return child;
}

function gather(child: ChildProcess): { stdout: string; stderr: string } {
  const printed = { stdout: "", stderr: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (printed.stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (printed.stderr += text));
  return printed;
}

/** Runs a program to its end and gives what it printed. Throws where it fails with another code than `accepted`. */
export async function run(
  program: keyof typeof MAIN,
  args: readonly string[],
  accepted: readonly number[] = [0],
): Promise<string> {
  const child = start(program, args);
  const printed = gather(child);
  const timer = new AbortController();
  void systemClock.sleep(LIMIT_MS, timer.signal).then(() => child.kill("SIGKILL"));
  await once(child, "close");
  timer.abort();
  if (child.exitCode !== null && accepted.includes(child.exitCode)) return printed.stdout;
  throw new Error(
    `${program} ${args.join(" ")} ended with ${child.exitCode ?? child.signalCode}: ${printed.stderr}`,
  );
}

/** A gateway in a process of its own. */
export class RunningGateway {
  readonly mqtt: string;
  readonly status: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ready: { mqtt: readonly string[]; status: string }) {
    this.#child = child;
    this.mqtt = ready.mqtt[0] ?? "";
    this.status = ready.status;
  }

  /** Resolves once it says that it is ready. */
  static async start(settingsFile: string): Promise<RunningGateway> {
    const child = start("gateway", ["run", "--config", settingsFile, "--json"]);
    const printed = gather(child);
    await waitFor("the gateway is ready", () => {
      if (child.exitCode !== null) throw new Error(`the gateway ended: ${printed.stderr}`);
      return printed.stdout.includes("\n");
    });
    return new RunningGateway(child, JSON.parse(printed.stdout.split("\n")[0] ?? ""));
  }

  async getStatus(): Promise<GatewayStatus> {
    const response = await fetch(`http://${this.status}/status`);
    return (await response.json()) as GatewayStatus;
  }

  /** The first status that is as wished. */
  async statusWhen(what: string, isSo: (status: GatewayStatus) => boolean): Promise<GatewayStatus> {
    let status = await this.getStatus();
    await waitFor(what, async () => isSo((status = await this.getStatus())));
    return status;
  }

  /** Waits until so many messages are stored, decoded and in the lake with everything that was made of them. */
  drained(messages: number): Promise<GatewayStatus> {
    return this.statusWhen(`${messages} messages are in the lake`, ({ buffer, sync }) => {
      const isDecoded = buffer.nextOffset >= messages && buffer.decodedThrough + 1 === buffer.nextOffset;
      return isDecoded && sync.pendingRows === 0 && buffer.outbox.batches === 0;
    });
  }

  /** Waits until nothing more is being stored: the same number twice, with a while between. */
  async settled(): Promise<void> {
    let stored = -1;
    await waitFor("nothing more is stored", async () => {
      const before = stored;
      await systemClock.sleep(SETTLED_MS);
      stored = (await this.getStatus()).buffer.nextOffset;
      return stored === before;
    });
  }

  /** Ends it as a power cut does, or as an operator does. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const ended = once(this.#child, "close");
    this.#child.kill(signal);
    await ended;
  }
}

async function waitFor(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endUs = systemClock.monotonicUs() + LIMIT_MS * 1_000;
  while (!(await isSo())) {
    if (systemClock.monotonicUs() > endUs) throw new Error(`waited in vain: ${what}`);
    await systemClock.sleep(POLL_MS);
  }
}
