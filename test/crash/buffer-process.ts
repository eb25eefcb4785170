import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { createLog } from "@sluice/shared/runtime/log.ts";
import { onTestFinished } from "vitest";
import { SegmentLog } from "../../edge/buffer/segment-log.ts";
import { StateStore } from "../../edge/buffer/state-store.ts";

const PROGRAM = new URL("./buffer-program.ts", import.meta.url).pathname;

export function tempFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-crash-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export interface Run {
  readonly task: "buffer" | "full-disk";
  readonly dir: string;
  readonly lake: string;
  readonly seed: number;
  readonly firstNumber: number;
  /** Kills the process with SIGKILL when it has said so many lines; undefined: lets it end. */
  readonly killAfterLines: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the program until it is killed or has ended; what it said. */
export function runProgram(run: Run): Promise<readonly string[]> {
  const { task, dir, lake, seed, firstNumber, killAfterLines, env } = run;
  const child = spawn(process.execPath, [PROGRAM, task, dir, lake, String(seed), String(firstNumber)], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let complaints = "";
  let isKilled = false;
  child.stderr.on("data", (data: Buffer) => (complaints += data.toString()));
  child.stdout.on("data", (data: Buffer) => {
    said += data.toString();
    if (isKilled || killAfterLines === undefined || said.split("\n").length <= killAfterLines) return;
    isKilled = true;
    child.kill("SIGKILL");
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const isExpected = killAfterLines === undefined ? code === 0 : signal === "SIGKILL";
      // A line that the kill cut in two was not heard.
      if (isExpected && complaints === "") resolve(said.split("\n").slice(0, -1));
      else reject(new Error(`the program ended with ${code ?? signal}: ${complaints}`));
    });
  });
}

/** How many messages were acknowledged, by the last line that said so. */
export function acknowledgedCount(lines: readonly string[]): number {
  const last = lines.findLast((line) => line.startsWith("acknowledged "));
  return last === undefined ? 0 : Number(last.slice("acknowledged ".length));
}

/**
 * The number of each message that the lake or the buffer has, wherever it has got to: in a delivered batch, in the
 * outbox, among the pending rows, or only in the raw log. In the order of the offsets.
 */
export function everyNumber(dir: string, lake: string): number[] {
  const clock = new SimulatedClock(0);
  const log = createLog("verifier", "error");
  const state = StateStore.open({ dir, clock, log });
  const segments = SegmentLog.open({
    dir: join(dir, "segments"),
    limits: { segmentBytesMax: 200_000, diskBytesMax: 1_073_741_824, redeliveryEntriesMax: 10_000 },
    floorOffset: state.decodedThrough + 1,
    bootId: "verifier",
    otherBytes: () => 0,
    clock,
    log,
  });
  try {
    const batches = new Map<string, Uint8Array>();
    for (const key of readdirSync(lake)) batches.set(key, readFileSync(join(lake, key)));
    for (const batch of state.peekOutbox(1_000_000, "readings")) batches.set(batch.key, batch.body);
    const order = (key: string): number => Number(key.split("-").at(-1));
    const chunks = [
      ...[...batches].sort(([a], [b]) => order(a) - order(b)).map(([, body]) => body),
      ...state.readPending("readings", 1_000_000_000).chunks,
    ];
    const raw = segments.read(state.decodedThrough + 1, { messages: 1_000_000_000, bytes: 1_000_000_000 });
    return [
      ...chunks.flatMap((chunk) => Buffer.from(chunk).toString().split(",").map(Number)),
      ...raw.map(({ payload }) => Number.parseInt(Buffer.from(payload).toString(), 10)),
    ];
  } finally {
    segments.close();
    state.close();
  }
}

/** Where `numbers` is not 0, 1, 2, …: empty when nothing is missing and nothing is there twice. */
export function irregularities(numbers: readonly number[]): string[] {
  return numbers.flatMap((n, i) => {
    const expected = i === 0 ? 0 : (numbers[i - 1] ?? 0) + 1;
    return n === expected ? [] : [`${n} where ${expected} belongs`];
  });
}
