import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { root } from "./process.ts";

export interface MeasuredRun {
  readonly seconds: number;
  readonly peakMib: number;
  readonly stdout: string;
}

const SAMPLE_MS = 50;

/** Runs a program of ours to its end and watches its memory: the most that was resident (VmHWM) and how long it took. */
export async function measureRun(args: readonly string[]): Promise<MeasuredRun> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  let peakKib = 0;
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  while (child.exitCode === null && child.signalCode === null) {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    peakKib = Math.max(peakKib, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0));
    await Promise.race([ended, delay(SAMPLE_MS)]);
  }
  const code = await ended;
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stdout}`);
  return { seconds: (performance.now() - startedAt) / 1_000, peakMib: peakKib / 1_024, stdout };
}
