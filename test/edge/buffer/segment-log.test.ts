import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { assert } from "@sluice/shared/runtime/assert.ts";
import Database from "better-sqlite3";
import { expect, test, vi } from "vitest";
import { codeOf, contents, groupOf, LIMITS, messageOf, numbered, openLog, tempFolder } from "./fixtures.ts";

const SEGMENTS = /^segment-\d{16}\.db$/;
const segments = (dir: string): string[] => readdirSync(dir).filter((name) => SEGMENTS.test(name));

test("what was appended is read back in order, across segments and after a reopen", () => {
  const dir = tempFolder();
  let log = openLog(dir);
  for (let i = 0; i < 40; i++)
    expect(log.append(numbered(i * 10, 10, 400))).toEqual({ fromOffset: i * 10, count: 10, duplicates: 0 });
  const expected = Array.from({ length: 400 }, (_, i) => `${i} ${i}`);
  expect(contents(log)).toEqual(expected);
  expect(segments(dir).length).toBeGreaterThan(2);
  log.close();
  log = openLog(dir);
  expect(log.nextOffset).toBe(400);
  expect(contents(log)).toEqual(expected);
  expect(contents(log, 395)).toEqual(expected.slice(395));
  log.close();
});

test("a read keeps to its limits of messages and bytes, and gives one message at the least", () => {
  const log = openLog(tempFolder());
  log.append(numbered(0, 10, 100));
  log.append(numbered(10, 10, 100));
  expect(log.read(8, { messages: 4, bytes: 1e9 }).map(({ offset }) => offset)).toEqual([8, 9, 10, 11]);
  expect(log.read(3, { messages: 100, bytes: 1 }).map(({ offset }) => offset)).toEqual([3]);
  expect(log.read(20, { messages: 100, bytes: 1e9 })).toEqual([]);
  log.close();
});

test("every open of a file, the first and all later ones, syncs at every commit", () => {
  const dir = tempFolder();
  const pragma = vi.spyOn(Database.prototype, "pragma");
  try {
    for (let open = 0; open < 3; open++) {
      pragma.mockClear();
      const log = openLog(dir);
      log.append(numbered(open, 1));
      log.close();
      const answers = pragma.mock.calls.flatMap(([text], i) =>
        text === "synchronous" ? [pragma.mock.results[i]?.value] : [],
      );
      expect(answers.length).toBeGreaterThan(0);
      expect(new Set(answers)).toEqual(new Set([2]));
    }
  } finally {
    pragma.mockRestore();
  }
});

test("a redelivery is stored once: in a later group, in the same group, and across a reopen", () => {
  const dir = tempFolder();
  const first = messageOf("7.5", { packetId: 5 });
  const again = { ...first, dup: true };
  let log = openLog(dir);
  expect(log.append(groupOf([first, again, messageOf("8.5", { packetId: 6 })]))).toEqual({
    fromOffset: 0,
    count: 2,
    duplicates: 1,
  });
  expect(log.append(groupOf([again]))).toEqual({ fromOffset: 2, count: 0, duplicates: 1 });
  log.close();
  log = openLog(dir);
  expect(log.append(groupOf([again]))).toMatchObject({ count: 0, duplicates: 1 });
  expect(contents(log)).toEqual(["0 7.5", "1 8.5"]);
  expect(log.stats().duplicates).toBe(1);
  log.close();
});

test("what only looks like a redelivery is stored", () => {
  const first = messageOf("7.5", { packetId: 5 });
  const others = [
    first, // The same packet identifier used again: a new message, however equal.
    { ...first, dup: true, client: "pump-2" },
    { ...first, dup: true, packetId: 6 },
    { ...first, dup: true, topic: "plant/pump-1/other" },
    { ...first, dup: true, payload: new TextEncoder().encode("7.6") },
    { ...first, dup: true, qos: 0 as const, packetId: 0 },
  ];
  for (const other of others) {
    const log = openLog(tempFolder());
    log.append(groupOf([first]));
    expect(log.append(groupOf([other]))).toMatchObject({ count: 1, duplicates: 0 });
    log.close();
  }
});

test("a packet identifier that was used again in the same group stands for its newest message", () => {
  const log = openLog(tempFolder());
  const [one, two] = [messageOf("1", { packetId: 5 }), messageOf("2", { packetId: 5 })];
  log.append(groupOf([one]));
  // The redelivery of "1" comes after "2" took its identifier: it cannot be told from a new message.
  log.append(groupOf([{ ...one, dup: true }, two, { ...two, dup: true }, { ...one, dup: true }]));
  expect(contents(log)).toEqual(["0 1", "1 2", "2 1"]);
  log.close();
});

test("at the disk budget nothing of a group is stored, and its redelivery is stored when there is room", () => {
  let other = 0;
  const dir = tempFolder();
  const log = openLog(dir, {
    limits: { ...LIMITS, diskBytesMax: 200_000 },
    otherBytes: () => other,
  });
  log.append(numbered(0, 10, 100));
  other = 199_000;
  const refused = [messageOf("a", { packetId: 900 }), messageOf("b".repeat(900), { packetId: 901 })];
  expect(codeOf(() => log.append(groupOf(refused)))).toBe("buffer.full");
  expect(log.nextOffset).toBe(10);
  expect(contents(log)).toHaveLength(10);
  expect(log.stats().refused).toBe(2);
  other = 0;
  const again = groupOf(refused.map((message) => ({ ...message, dup: true })));
  expect(log.append(again)).toEqual({ fromOffset: 10, count: 2, duplicates: 0 });
  expect(log.append(again)).toMatchObject({ count: 0, duplicates: 2 });
  log.close();
});

test("a full buffer takes messages again when what it holds is delivered, however small its budget", () => {
  const dir = tempFolder();
  const limits = { ...LIMITS, segmentBytesMax: 33_554_432, diskBytesMax: 16_777_216 };
  const log = openLog(dir, { limits });
  const group = (from: number): Uint8Array => numbered(from, 100, 1_300);
  for (let round = 0; round < 2; round++) {
    let code = "";
    while (code !== "buffer.full") code = codeOf(() => log.append(group(log.nextOffset)));
    expect(log.stats().diskBytes).toBeGreaterThan(0.9 * limits.diskBytesMax);
    expect(log.stats().diskBytes).toBeLessThanOrEqual(limits.diskBytesMax);
    const onDisk = readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
    // Beside the messages: 32 KiB of SQLite's shared memory for each open file, and the reserve.
    expect(onDisk - log.stats().diskBytes).toBeLessThan(200_000);
    log.prune(log.nextOffset - 1);
  }
  log.close();
});

test("bytes that are no group are refused before anything is written", () => {
  const log = openLog(tempFolder());
  log.append(numbered(0, 3));
  const late = groupOf([messageOf("late", { packetId: 77, dup: true })]);
  expect(codeOf(() => log.append(late.subarray(0, 20)))).toBe("buffer.group_damaged");
  expect(contents(log)).toEqual(["0 0", "1 1", "2 2"]);
  expect(log.append(late)).toEqual({ fromOffset: 3, count: 1, duplicates: 0 });
  log.close();
});

test("a full disk leaves nothing of a group, and its redelivery is stored when there is room again", () => {
  // SQLite's own limit on pages, set on the open file, fails with the error of a full disk.
  const pragma = vi.spyOn(Database.prototype, "pragma");
  const log = openLog(tempFolder());
  log.append(numbered(0, 3));
  const file = pragma.mock.contexts.at(-1);
  pragma.mockRestore();
  assert(file instanceof Database, "the segment's open file");
  const big = messageOf("x".repeat(50_000), { packetId: 77 });
  file.pragma("max_page_count = 3");
  expect(codeOf(() => log.append(groupOf([big, messageOf("small", { packetId: 78 })])))).toBe(
    "buffer.disk_full",
  );
  expect(contents(log)).toEqual(["0 0", "1 1", "2 2"]);
  file.pragma("max_page_count = 1000000");
  expect(log.append(groupOf([{ ...big, dup: true }]))).toEqual({ fromOffset: 3, count: 1, duplicates: 0 });
  expect(contents(log)).toHaveLength(4);
  log.close();
});

test("pruning removes whole segments and never a message after the given offset", () => {
  const dir = tempFolder();
  let log = openLog(dir);
  for (let i = 0; i < 60; i++) log.append(numbered(i * 10, 10, 400));
  const before = segments(dir).length;
  for (const through of [-1, 0, 5, 133, 134, 250, 599]) {
    log.prune(through);
    const offsets = log.read(through + 1, { messages: 1, bytes: 1e9 }).map(({ offset }) => offset);
    expect(offsets).toEqual(through + 1 < 600 ? [through + 1] : []);
  }
  expect(segments(dir).length).toBeLessThan(before);
  expect(log.nextOffset).toBe(600);
  log.close();
  log = openLog(dir);
  expect(log.nextOffset).toBe(600);
  log.append(numbered(600, 1));
  expect(contents(log, 600)).toEqual(["600 600"]);
  expect(readdirSync(dir).filter((name) => name.endsWith("-wal"))).toHaveLength(1);
  log.close();
});

test("a long backlog at rest holds the handles of two files at the most", () => {
  const dir = tempFolder();
  const log = openLog(dir);
  for (let i = 0; i < 100; i++) log.append(numbered(i * 10, 10, 400));
  expect(contents(log)).toHaveLength(1_000);
  // SQLite keeps a shared-memory file beside each database that is open.
  expect(segments(dir).length).toBeGreaterThan(5);
  expect(readdirSync(dir).filter((name) => name.endsWith("-shm")).length).toBeLessThanOrEqual(2);
  log.close();
});

test("new offsets begin at the floor, and never below what is stored", () => {
  const dir = tempFolder();
  let log = openLog(dir, { floorOffset: 50 });
  expect(log.append(numbered(0, 2))).toMatchObject({ fromOffset: 50 });
  log.close();
  log = openLog(dir, { floorOffset: 10 });
  expect(log.append(numbered(2, 2))).toMatchObject({ fromOffset: 52 });
  expect(contents(log)).toEqual(["50 0", "51 1", "52 2", "53 3"]);
  log.close();
});

test("a folder that cannot be made is refused with the reason", () => {
  const file = join(tempFolder(), "file");
  new Database(file).exec("CREATE TABLE t (x)").close();
  expect(codeOf(() => openLog(join(file, "segments")))).toBe("buffer.unwritable");
});
