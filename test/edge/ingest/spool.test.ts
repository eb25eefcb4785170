import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spoolTopic } from "@sluice/shared/contract/spool.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { expect, onTestFinished, test, vi } from "vitest";
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
  const folder = new SpoolFolder(dir);
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

test("a message is there whole or not at all, and writing it twice changes nothing", async () => {
  const folder = new SpoolFolder(join(tempFolder(), "made", "on the way"));
  const place = { job: "a", number: 3 };
  await folder.write(place, Uint8Array.of(1, 2));
  await folder.write(place, Uint8Array.of(1, 2));
  expect(await folder.list()).toEqual([place]);
  expect([...(await folder.read(place))]).toEqual([1, 2]);
  await folder.remove(place);
  await folder.remove(place);
  expect(await folder.list()).toEqual([]);
});
