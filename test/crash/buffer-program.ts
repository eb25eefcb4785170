// The buffer in a process of its own, to be killed at any moment: what a gateway does with it, without MQTT and models.
//
// Arguments: what to do, the buffer's folder, the lake's folder, a seed, the first number that has no acknowledgement.
// Message number n is always the same message, so that a publisher's redelivery can be played after a crash.
import { existsSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { createLog } from "@sluice/shared/runtime/log.ts";
import { type Random, seededRandom } from "@sluice/shared/runtime/random.ts";
import { GroupWriter } from "../../edge/buffer/message-group.ts";
import { SegmentLog } from "../../edge/buffer/segment-log.ts";
import { StateStore } from "../../edge/buffer/state-store.ts";

const [task = "", dir = "", lake = "", seed = "0", firstNumber = "0"] = process.argv.slice(2);
const say = (line: string): void => void writeSync(1, `${line}\n`);

/** How many messages a publisher sends again when it has reconnected: more than a group has. */
const RESENT_COUNT = 150;
const GROUP_COUNT_MAX = 60;

function openBuffer(): { log: SegmentLog; state: StateStore } {
  const clock = systemClock;
  const lines = createLog("buffer-program", "error");
  const state = StateStore.open({ dir, clock, log: lines });
  const log = SegmentLog.open({
    dir: join(dir, "segments"),
    limits: { segmentBytesMax: 200_000, diskBytesMax: 1_073_741_824, redeliveryEntriesMax: 10_000 },
    floorOffset: state.decodedThrough + 1,
    bootId: `${seed}-${firstNumber}`,
    otherBytes: () => state.diskBytes(),
    clock,
    log: lines,
  });
  return { log, state };
}

function groupOf(from: number, count: number, dup: boolean): Uint8Array {
  const writer = new GroupWriter();
  for (let n = from; n < from + count; n++)
    writer.append({
      client: `pump-${n % 3}`,
      packetId: (n % 65_535) + 1,
      qos: 1,
      dup,
      retain: false,
      topic: "plant/pump/telemetry",
      payload: Buffer.from(`${n} ${"x".repeat((n * 37) % 400)}`),
      receivedAtUs: systemClock.nowUs(),
    });
  return new Uint8Array(writer.take());
}

/** One step of the pipeline: the numbers of the next messages become rows of the readings. */
function step(log: SegmentLog, state: StateStore): void {
  const messages = log.read(state.decodedThrough + 1, { messages: 100, bytes: 1_000_000 });
  const [first, last] = [messages[0], messages.at(-1)];
  if (first === undefined || last === undefined) return;
  const numbers = messages.map(({ payload }) => Number.parseInt(Buffer.from(payload).toString(), 10));
  const chunk = Buffer.from(numbers.join());
  const rows = numbers.length;
  state.commitStep({
    throughOffset: last.offset,
    appended: [{ stream: "readings", from: first.offset, to: last.offset, rows, chunk }],
    counters: { readings: rows },
    checkpoint: chunk,
  });
}

function seal(state: StateStore): void {
  const { ids, chunks, to, rows } = state.readPending("readings", 500);
  if (rows === 0) return;
  const from = state.sealedThrough("readings") + 1;
  const body = Buffer.from(chunks.map((chunk) => Buffer.from(chunk).toString()).join());
  const key = `${state.epoch}-${from}-${to}`;
  state.seal({ stream: "readings", from, to, rows, key, sha256: "", body }, ids);
}

/** Puts the oldest batch into the lake, which keeps what it has: create only, the same bytes twice are no harm. */
function deliver(log: SegmentLog, state: StateStore): void {
  const [batch] = state.peekOutbox(1, "readings");
  if (batch === undefined) return;
  const path = join(lake, batch.key);
  if (!existsSync(path)) writeFileSync(path, batch.body);
  else if (!readFileSync(path).equals(batch.body)) say(`diverged ${batch.key}`);
  state.markDelivered(batch.id);
  log.prune(state.deliveredThrough("readings"));
}

/** Says "acknowledged n" when every message before number n is durable; until it is killed. */
function runUntilKilled(): void {
  const random = seededRandom(Number(seed));
  const { log, state } = openBuffer();
  let next = Number(firstNumber);
  const append = (count: number, dup: boolean): void => {
    log.append(groupOf(next, count, dup));
    next += count;
    say(`acknowledged ${next}`);
  };
  append(RESENT_COUNT, true);
  for (;;) {
    append(1 + random.int(GROUP_COUNT_MAX), false);
    if (random.next() < 0.5) step(log, state);
    if (random.next() < 0.1) seal(state);
    if (random.next() < 0.1) deliver(log, state);
  }
}

/** Fills the disk between two appends, then makes room again. */
function runOnFullDisk(): void {
  const flag = process.env["MACHINE_FULL"] ?? "";
  const { log, state } = openBuffer();
  const attempt = (what: string, work: () => unknown): void => {
    try {
      work();
      say(`${what} done`);
    } catch (error) {
      say(`${what} ${error instanceof PipelineError ? error.code : String(error)}`);
    }
  };
  const random: Random = seededRandom(Number(seed));
  let next = 0;
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) {
      const count = 1 + random.int(GROUP_COUNT_MAX);
      log.append(groupOf(next, count, false));
      next += count;
    }
    step(log, state);
    writeFileSync(flag, "");
    attempt("append", () => log.append(groupOf(next, 50, false)));
    attempt("resend", () => log.append(groupOf(next, 50, true)));
    attempt("step", () => step(log, state));
    rmSync(flag);
    attempt("append", () => log.append(groupOf(next, 50, true)));
    attempt("step", () => step(log, state));
    next += 50;
  }
  say(`acknowledged ${next}`);
  log.close();
  state.close();
}

if (task === "buffer") runUntilKilled();
else runOnFullDisk();
