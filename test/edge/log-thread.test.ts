import { readdirSync } from "node:fs";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import { describeError } from "@sluice/shared/runtime/errors.ts";
import { expect, onTestFinished, test } from "vitest";
import type { SegmentLog } from "../../edge/buffer/segment-log.ts";
import type { GroupMessage, SettledMessage } from "../../edge/log-messages.ts";
import { LogThread } from "../../edge/log-thread.ts";
import { contents, groupOf, LIMITS, messageOf, numbered, openLog, tempFolder } from "./buffer/fixtures.ts";

const ROOM_ENOUGH = 1_073_741_824;

/** A log with its thread, and a way to give it groups. */
function siteOf(dir: string, more: Parameters<typeof openLog>[1] = {}) {
  const log = openLog(join(dir, "segments"), more);
  const { port1, port2 } = new MessageChannel();
  const settled = new Map<number, (failure: string | undefined) => void>();
  port1.on("message", ({ id, failure }: SettledMessage) => settled.get(id)?.(failure?.code));
  const told: string[] = [];
  const thread = new LogThread({
    log,
    data: { bufferDir: dir, encryptionKeyFile: undefined, bootId: "boot" },
    groups: port2,
    stored: () => undefined,
    refused: (error) => told.push(`refused ${error.code}`),
    makeRoom: () => told.push("make room"),
    failed: (error) => told.push(`failed ${describeError(error)}`),
  });
  let nextId = 0;
  const put = (group: Uint8Array): Promise<string | undefined> => {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const message: GroupMessage = { id: nextId, group: group.slice().buffer };
    settled.set(nextId++, resolve);
    port1.postMessage(message, [message.group]);
    return promise;
  };
  const stop = async (): Promise<void> => {
    await thread.stop();
    port1.close();
  };
  onTestFinished(stop);
  return { log, thread, put, told, stop };
}

const expected = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n} ${n}`);

function reopened(dir: string, check: (log: SegmentLog) => void): void {
  const log = openLog(join(dir, "segments"));
  check(log);
  log.close();
}

test("what the thread says is stored is there, in its order, over many segments, and after a restart", async () => {
  const dir = tempFolder();
  const { log, put, told, stop } = siteOf(dir);
  for (let n = 0; n < 2_000; n += 20) expect(await put(numbered(n, 20, 300))).toBeUndefined();
  await stop();
  expect(log.nextOffset).toBe(2_000);
  expect(contents(log)).toEqual(expected(2_000));
  expect(log.stats().segments).toBeGreaterThan(5);
  expect(told).toEqual([]);
  log.close();
  reopened(dir, (again) => expect(contents(again)).toEqual(expected(2_000)));
}, 30_000);

test("segments that fill faster than spare ones are made for them cost nothing", async () => {
  const dir = tempFolder();
  const { log, put, told, stop } = siteOf(dir, { limits: { ...LIMITS, segmentBytesMax: 1 } });
  // All at once: the thread begins a segment for each while this one makes a spare for it.
  const failures = Array.from({ length: 60 }, (_, n) => put(numbered(n * 5, 5, 300)));
  expect(new Set(await Promise.all(failures))).toEqual(new Set([undefined]));
  await stop();
  expect(told).toEqual([]);
  expect(contents(log)).toEqual(expected(300));
  expect(log.makeSpare()).not.toBe(log.makeSpare()); // The first may just be renamed by the other thread.
  log.close();
  reopened(dir, (again) => expect(contents(again)).toEqual(expected(300)));
  expect(readdirSync(join(dir, "segments")).filter((name) => name.startsWith("spare"))).toEqual([]);
}, 60_000);

test("a group can be read as soon as it is told, from memory or from the disk", async () => {
  const dir = tempFolder();
  const { log, put, stop } = siteOf(dir);
  for (let n = 0; n < 600; n += 20) {
    await put(numbered(n, 20, 300));
    expect(contents(log)).toEqual(expected(log.nextOffset));
  }
  await stop();
  expect(contents(log)).toEqual(expected(600));
  log.close();
}, 30_000);

test("a message that comes again is not stored again, whichever side of the hand-over it came on first", async () => {
  const dir = tempFolder();
  const before = openLog(join(dir, "segments"));
  before.append(groupOf([messageOf("0", { packetId: 1 })]));
  before.close();
  const { log, put, stop } = siteOf(dir);
  await put(groupOf([messageOf("1", { packetId: 2 })]));
  const again = { dup: true };
  await put(groupOf([messageOf("0", { packetId: 1, ...again }), messageOf("1", { packetId: 2, ...again })]));
  await put(groupOf([messageOf("1", { packetId: 2, ...again }), messageOf("2", { packetId: 3, ...again })]));
  await stop();
  expect(contents(log)).toEqual(expected(3));
  expect(log.stats()).toMatchObject({ duplicates: 3, refused: 0 });
  log.close();
});

test("at the disk budget room is asked for, and a group that finds none is refused and not stored", async () => {
  const dir = tempFolder();
  let otherBytes = ROOM_ENOUGH;
  const { log, thread, put, told, stop } = siteOf(dir, { otherBytes: () => otherBytes });
  expect(await put(numbered(0, 10))).toBe("buffer.full");
  expect(told).toContain("make room");
  otherBytes = 0;
  thread.tellRoom();
  expect(await put(numbered(0, 10))).toBeUndefined();
  await stop();
  expect(contents(log)).toEqual(expected(10));
  expect(told.filter((line) => line.startsWith("refused"))).toEqual(["refused buffer.full"]);
  expect(log.stats().refused).toBe(10);
  log.close();
}, 30_000);

test("a group that is not one is refused by itself", async () => {
  const dir = tempFolder();
  const { log, put, told, stop } = siteOf(dir);
  expect(await put(new Uint8Array([9, 9, 9]))).toBe("buffer.group_damaged");
  expect(await put(numbered(0, 10))).toBeUndefined();
  expect(told).toEqual(["refused buffer.group_damaged"]);
  await stop();
  expect(contents(log)).toEqual(expected(10));
  log.close();
});

test("more offsets than are reserved at once are given without a gap, and the reserve is ahead of them", async () => {
  const dir = tempFolder();
  const { log, put, stop } = siteOf(dir, { limits: { ...LIMITS, segmentBytesMax: 33_554_432 } });
  const size = 10_000;
  for (let n = 0; n < 15; n++) await put(numbered(n * size, size));
  await stop();
  expect(log.nextOffset).toBe(15 * size);
  log.close();
  reopened(dir, (again) => {
    expect(again.nextOffset).toBe(15 * size);
    expect(contents(again, 149_999)).toEqual(["149999 149999"]);
  });
}, 30_000);
