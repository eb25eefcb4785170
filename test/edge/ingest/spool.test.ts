import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { spoolTopic } from "@sluice/shared/contract/spool-topic.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { expect, onTestFinished, test, vi } from "vitest";
import { Bodies } from "../../../edge/buffer/body.ts";
import { SpoolFolder } from "../../../edge/ingest/spool-folder.ts";
import { SpoolSource } from "../../../edge/ingest/spool-source.ts";

const quiet = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function tempFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-spool-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("messages are taken job by job in their order, each removed only when it is durable", async () => {
  const dir = tempFolder();
  const folder = new SpoolFolder(dir, new Bodies());
  for (const number of [0, 1, 10, 2]) await folder.write({ job: "b", number }, Uint8Array.of(number));
  await folder.write({ job: "a", number: 0 }, Uint8Array.of(99));
  writeFileSync(join(dir, "a", "notes.txt"), "not ours");
  writeFileSync(join(dir, "b", "000000000011.message.draft"), "half a message");
  const puts: IncomingMessage[] = [];
  let failures = 2;
  const sink = {
    put: (message: IncomingMessage, settled: (error: Error | undefined) => void) => {
      puts.push(message);
      settled(failures-- > 0 ? new PipelineError("buffer.full", "no room") : undefined);
    },
  };
  const source = new SpoolSource(dir, folder, { sink, clock: systemClock, log: quiet });
  onTestFinished(() => source.stop());
  await source.start();
  await vi.waitFor(async () => expect(await folder.list()).toEqual([]), { timeout: 10_000 });
  const taken = puts.slice(2).map(({ topic, payload }) => [topic, [...payload]]);
  expect(puts.slice(0, 2).map(({ topic }) => topic)).toEqual([
    spoolTopic({ job: "a", number: 0 }),
    spoolTopic({ job: "a", number: 0 }),
  ]);
  expect(taken).toEqual([
    [spoolTopic({ job: "a", number: 0 }), [99]],
    ...[0, 1, 2, 10].map((number) => [spoolTopic({ job: "b", number }), [number]]),
  ]);
  expect(source.stats()).toMatchObject({ received: 7, refused: { "sink.refused": 2 } });
  expect(readdirSync(join(dir, "a"))).toEqual(["notes.txt"]);
});

test("a damaged message is set aside, counted and told, and does not hold up those behind it", async () => {
  const dir = tempFolder();
  const folder = new SpoolFolder(dir, new Bodies());
  for (const number of [0, 1]) await folder.write({ job: "a", number }, Uint8Array.of(number));
  writeFileSync(join(dir, "a", "000000000000.message"), "flipped");
  const puts: IncomingMessage[] = [];
  const sink = {
    put: (message: IncomingMessage, settled: (error: Error | undefined) => void) => {
      puts.push(message);
      settled(undefined);
    },
  };
  const errors: string[] = [];
  const log = { ...quiet, error: (_fields: object, message: string) => void errors.push(message) };
  const source = new SpoolSource(dir, folder, { sink, clock: systemClock, log });
  onTestFinished(() => source.stop());
  await source.start();
  await vi.waitFor(() => expect(puts).toHaveLength(1), { timeout: 10_000 });
  expect([...(puts[0]?.payload ?? [])]).toEqual([1]);
  expect(source.stats().refused).toEqual({ "spool.damaged": 1 });
  expect(errors).toEqual([expect.stringContaining("import or release it again")]);
  expect(readdirSync(join(dir, "a"))).toEqual(["000000000000.message.damaged"]);
});

test("a message is there whole or not at all, and writing it twice changes nothing", async () => {
  const folder = new SpoolFolder(join(tempFolder(), "made", "on the way"), new Bodies());
  const place = { job: "a", number: 3 };
  await folder.write(place, Uint8Array.of(1, 2));
  await folder.write(place, Uint8Array.of(1, 2));
  expect(await folder.list()).toEqual([place]);
  expect([...(await folder.read(place))]).toEqual([1, 2]);
  await folder.remove(place);
  await folder.remove(place);
  expect(await folder.list()).toEqual([]);
});

test("a message that is put in while the job's folder is emptied stays", async () => {
  const folder = new SpoolFolder(tempFolder(), new Bodies());
  await folder.write({ job: "a", number: 0 }, Uint8Array.of(0));
  for (let number = 1; number <= 100; number++) {
    await Promise.all([
      folder.remove({ job: "a", number: number - 1 }),
      folder.write({ job: "a", number }, Uint8Array.of(1)),
    ]);
    expect(await folder.list()).toEqual([{ job: "a", number }]);
  }
});

/** Puts messages into a job's folder, in order, as fast as it can. */
const FAST_WRITER = `
  const { renameSync, writeFileSync } = require("node:fs");
  const { workerData: { folder, messages } } = require("node:worker_threads");
  for (let number = 0; number < messages; number++) {
    const path = folder + "/" + String(number).padStart(12, "0") + ".message";
    writeFileSync(path + ".draft", "");
    renameSync(path + ".draft", path);
  }
`;

test("no list ever has a message without those before it, however fast they are put in", async () => {
  const dir = tempFolder();
  mkdirSync(join(dir, "a"));
  const workerData = { folder: join(dir, "a"), messages: 2_500 };
  const writer = new Worker(FAST_WRITER, { eval: true, workerData });
  const writing = { isDone: false };
  writer.on("exit", () => (writing.isDone = true));
  const folder = new SpoolFolder(dir, new Bodies());
  while (!writing.isDone) {
    const numbers = (await folder.list()).map(({ number }) => number);
    expect(numbers.at(-1) ?? -1).toBe(numbers.length - 1);
  }
  expect(await folder.list()).toHaveLength(2_500);
}, 30_000);
