// `npm run fuzz -- [--packets N] [--seed S] [--target name]`: changed payloads for everything that reads bytes from
// outside. Each must be accepted or refused in time and memory that its size allows; anything else ends with exit
// code 1, the seed and the payload.
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { payloadOf } from "./fuzz-run.ts";
import type { FuzzMessage, FuzzWork } from "./fuzz-worker.ts";
import type { FuzzResult } from "./fuzz-run.ts";
import { fuzzTargets } from "./targets.ts";

/** How long one payload may take before the thread is given up: it hangs. */
const STALLED_MS = 20_000;

/** The thread's heap: what fills it is an allocation without bound. */
const HEAP_MIB_MAX = 512;

const { values } = parseArgs({
  options: {
    packets: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    target: { type: "string", multiple: true },
  },
});
const names = fuzzTargets.map(({ name }) => name);
const targets = values.target ?? names;
const packets = Number(values.packets);
const seed = Number(values.seed);
const unknown = targets.filter((name) => !names.includes(name));
if (unknown.length > 0 || !Number.isSafeInteger(seed) || !(packets >= targets.length)) {
  console.error(
    unknown.length > 0
      ? `no such target: ${unknown.join("; ")}\nthere are: ${names.join("; ")}`
      : `--packets is a whole number from ${targets.length} up, --seed a whole number`,
  );
  process.exit(2);
}

const packetsPerTarget = Math.ceil(packets / targets.length);
const place = new Int32Array(new SharedArrayBuffer(8));
const results: FuzzResult[] = [];
const failure = await new Promise<string | undefined>((resolve) => {
  const workerData: FuzzWork = { seed, packetsPerTarget, targets, place };
  const worker = new Worker(new URL("./fuzz-worker.ts", import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
  });
  const watch = watchPlace((why) => finish(why));
  const finish = (why: string | undefined): void => {
    clearInterval(watch);
    resolve(why);
  };
  worker.on("message", (message: FuzzMessage) => {
    if ("failure" in message) finish(message.failure);
    else results.push(message.result);
  });
  worker.on("error", (error) =>
    finish(`${error instanceof Error ? error.message : String(error)}${whereNow()}`),
  );
  worker.on("exit", () => finish(undefined));
});
process.stderr.write("\n");

const rows = results.map((result) => [
  result.target,
  String(result.packets),
  String(result.accepted),
  String(result.refused),
  String(result.slowestUs),
  (result.heapGrowthBytesMax / 1_048_576).toFixed(1),
]);
const table = [["target", "packets", "accepted", "refused", "slowest µs", "heap MiB"], ...rows];
const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
for (const row of table)
  console.log(
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  "),
  );
if (failure !== undefined) {
  console.error(`\nfailed with --seed ${seed} --packets ${packets}: ${failure}`);
  process.exit(1);
}
console.log(`\n${packetsPerTarget * targets.length} packets with seed ${seed}: nothing unexpected`);
process.exit(0);

/** Prints the progress each second, and tells when it stops. */
function watchPlace(onStalled: (why: string) => void): NodeJS.Timeout {
  let before = -1;
  let sinceMs = 0;
  return setInterval(() => {
    const [target = 0, packet = 0] = place;
    const done = target * packetsPerTarget + packet;
    process.stderr.write(`\r${done} of ${packetsPerTarget * targets.length}: ${targets[target]}`.padEnd(72));
    sinceMs = done === before ? sinceMs + 1_000 : 0;
    before = done;
    if (sinceMs >= STALLED_MS) onStalled(`one payload took more than ${STALLED_MS} ms${whereNow()}`);
  }, 1_000);
}

/** The payload that the thread is at. */
function whereNow(): string {
  const [number = 0, packet = 0] = place;
  const target = fuzzTargets.find(({ name }) => name === targets[number]);
  if (target === undefined) return "";
  const hex = Buffer.from(payloadOf(target, seed, packet)).toString("hex");
  return `: target "${target.name}", packet ${packet}\npayload ${hex}`;
}
