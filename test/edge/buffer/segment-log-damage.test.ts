import {
  closeSync,
  copyFileSync,
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { SegmentLog } from "../../../edge/buffer/segment-log.ts";
import { contents, numbered, openLog, tempFolder } from "./fixtures.ts";

const open = (dir: string, floorOffset = 0): SegmentLog => openLog(dir, { log: silentLog, floorOffset });

/** A closed log of 60 groups of 10 messages in several segments; the paths of its segments. */
function madeLog(dir: string, groups = 60): string[] {
  const log = openLog(dir);
  for (let i = 0; i < groups; i++) log.append(numbered(i * 10, 10, 400));
  log.close();
  return readdirSync(dir)
    .filter((name) => name.endsWith(".db"))
    .sort()
    .map((name) => join(dir, name));
}

const firstOf = (path: string): number => Number(/(\d{16})\.db$/.exec(path)?.[1]);

/** Changes one column of the group at `first` behind the log's back, and leaves nothing of what was there. */
function alter(path: string, first: number, change: string): void {
  const file = new Database(path);
  file.prepare(`UPDATE message_group SET ${change} WHERE first = ?`).run(first);
  file.exec("VACUUM");
  file.close();
}

const expected = (from: number, end: number): string[] =>
  Array.from({ length: end - from }, (_, i) => `${from + i} ${from + i}`);

test("a group whose bytes were altered is passed over and reported, and all others keep their true offsets", () => {
  const dir = tempFolder();
  const [path = ""] = madeLog(dir);
  alter(path, 30, "body = substr(body, 1, 100) || x'00' || substr(body, 102)");
  const log = open(dir);
  for (const from of [0, 35, 30])
    // Each again, from elsewhere: reported once.
    expect(contents(log, from)).toEqual([...expected(from, Math.max(from, 30)), ...expected(40, 600)]);
  expect(log.stats().damages).toMatchObject([{ file: path, fromOffset: 30, endOffset: 40 }]);
  expect(log.append(numbered(600, 5))).toMatchObject({ fromOffset: 600 });
  log.close();
});

test.each([
  ["a count that is too small", "count = 3"],
  ["another checksum", "checksum = checksum + 1"],
  ["bytes of another group", "body = (SELECT body FROM message_group WHERE first = 20)"],
  ["no bytes", "body = x''"],
  ["a text in place of bytes", "body = 'text'"],
])("%s of a stored group costs this group alone, and reading ends", (_, change) => {
  const dir = tempFolder();
  const [path = ""] = madeLog(dir);
  alter(path, 30, change);
  const log = open(dir);
  expect(contents(log)).toEqual([...expected(0, 30), ...expected(40, 600)]);
  const { damages } = log.stats();
  expect(damages[0]).toMatchObject({ file: path, fromOffset: 30 });
  expect(damages.at(-1)).toMatchObject({ file: path, endOffset: 40 });
  log.close();
});

test.each(["1000000", "0", "-20", "'many'", "x'00'", "10.5"])(
  "a count of %s is put right by the next group, and the checksum proves it",
  (count) => {
    const dir = tempFolder();
    const [path = ""] = madeLog(dir);
    alter(path, 30, `count = ${count}`);
    const log = open(dir);
    expect(contents(log)).toEqual(expected(0, 600));
    log.close();
  },
);

test("a group that is gone is reported as missing", () => {
  const dir = tempFolder();
  const [path = ""] = madeLog(dir);
  const file = new Database(path);
  file.exec("DELETE FROM message_group WHERE first IN (30, 40)");
  file.close();
  const log = open(dir);
  expect(contents(log)).toEqual([...expected(0, 30), ...expected(50, 600)]);
  expect(log.stats().damages).toMatchObject([{ file: path, fromOffset: 30, endOffset: 50 }]);
  log.close();
});

test("a damaged last group does not make its offsets be used again", () => {
  const dir = tempFolder();
  const path = madeLog(dir).at(-1) ?? "";
  alter(path, 590, "body = x'0102'");
  const log = open(dir);
  expect(log.append(numbered(600, 5))).toMatchObject({ fromOffset: 600 });
  expect(contents(log, 580)).toEqual([...expected(580, 590), ...expected(600, 605)]);
  log.close();
});

test.each([
  ["garbage in every page", (path: string) => writeFileSync(path, Buffer.alloc(40_960, 0x5a))],
  ["nothing but zeros", (path: string) => writeFileSync(path, Buffer.alloc(8_192))],
  ["no bytes at all", (path: string) => truncateSync(path, 0)],
])("a file with %s is reported, the others are read and the log goes on", (_, harm) => {
  for (const which of [0, 2, -1]) {
    const dir = tempFolder();
    const paths = madeLog(dir);
    const path = paths.at(which) ?? "";
    const lost = { from: firstOf(path), end: which === -1 ? 600 : firstOf(paths[which + 1] ?? "") };
    harm(path);
    let log = open(dir, 600);
    const rest = [...expected(0, lost.from), ...expected(lost.end, 600)];
    expect(contents(log)).toEqual(rest);
    expect(log.stats().damages.length).toBeGreaterThan(0);
    expect(log.append(numbered(600, 5))).toMatchObject({ fromOffset: 600 });
    log.close();
    log = open(dir, 600);
    expect(contents(log)).toEqual([...rest, ...expected(600, 605)]);
    log.close();
  }
});

test.each([
  ["the newest file is damaged", (names: readonly string[]) => names.slice(-1)],
  ["no file can be read", (names: readonly string[]) => names],
])("when %s after a crash, no offset is given again", (_, which) => {
  const [dir, copy] = [tempFolder(), tempFolder()];
  const log = openLog(dir);
  for (let i = 0; i < 60; i++) log.append(numbered(i * 10, 10, 400));
  cpSync(dir, copy, { recursive: true }); // As a crash leaves it.
  log.close();
  const harmed = which(readdirSync(copy).filter((name) => name.endsWith(".db"))).map((name) =>
    join(copy, name),
  );
  for (const path of harmed) {
    rmSync(`${path}-wal`, { force: true });
    writeFileSync(path, "garbage".repeat(1_000));
  }
  const after = open(copy);
  const { fromOffset } = after.append(numbered(600, 5));
  expect(fromOffset).toBeGreaterThanOrEqual(600);
  const whole = expected(0, firstOf(harmed[0] ?? ""));
  const added = Array.from({ length: 5 }, (_, i) => `${fromOffset + i} ${600 + i}`);
  expect(contents(after)).toEqual([...whole, ...added]);
  expect(after.stats().damages.at(-1)).toMatchObject({ fromOffset: whole.length, endOffset: fromOffset });
  after.close();
  const again = open(copy);
  expect(again.append(numbered(605, 1)).fromOffset).toBe(fromOffset + 5);
  again.close();
});

test("a reserve that is torn is begun anew, and costs nothing while the files are whole", () => {
  const dir = tempFolder();
  madeLog(dir);
  for (const bytes of ["", "60", "600 1", "\u0000\u0000", "600 12 3\n"]) {
    writeFileSync(join(dir, "offsets"), bytes);
    const log = openLog(dir);
    expect(log.nextOffset).toBe(600);
    log.close();
    expect(readFileSync(join(dir, "offsets"), "utf8")).toMatch(/^600 \d+\n$/);
  }
});

test.each([
  ["the header", 0, 200],
  ["the first page", 0, 4_096],
  ["the root of the tree", 4_096, 100],
])("what is whole behind garbage in %s is saved, and the log goes on", (_, at, length) => {
  for (const which of [0, 2, -1]) {
    const dir = tempFolder();
    const path = madeLog(dir).at(which) ?? "";
    overwrite(path, at, Buffer.alloc(length, 0x5a));
    const log = open(dir, 600);
    const got = contents(log);
    expect(got.length).toBeGreaterThanOrEqual(590);
    for (const line of got) expect(expected(0, 600)).toContain(line);
    expect(log.append(numbered(600, 5))).toMatchObject({ fromOffset: 600 });
    log.close();
    expect(readdirSync(dir).filter((name) => name.includes("damaged"))).toHaveLength(1);
  }
});

test("a segment that was mended is not mended again at the next start, though it has a gap", () => {
  const dir = tempFolder();
  const [path = ""] = madeLog(dir);
  alter(path, 30, "body = x'00'");
  for (let start = 0; start < 3; start++) {
    const log = open(dir);
    expect(contents(log)).toEqual([...expected(0, 30), ...expected(40, 600)]);
    expect(log.stats().damages).toMatchObject([{ fromOffset: 30, endOffset: 40 }]);
    log.close();
    expect(readdirSync(dir).filter((name) => name.includes("damaged"))).toHaveLength(1);
  }
});

test("a crash while a mended file takes the damaged one's place costs nothing", () => {
  const dir = tempFolder();
  const [path = ""] = madeLog(dir);
  writeFileSync(`${path}.repaired`, "what somebody has saved from it by hand, and nothing to be taken over");
  renameSync(path, `${path}.mended`); // The new file, whole,
  writeFileSync(`${path}.damaged`, "the old one"); // and the old one is out of the way already.
  const log = open(dir);
  expect(contents(log)).toEqual(expected(0, 600));
  expect(log.stats().damages).toEqual([]);
  log.close();
});

test("a mended file that a crash left half written is written anew", () => {
  const dir = tempFolder();
  const [path = ""] = madeLog(dir);
  writeFileSync(`${path}.mended`, "half of it");
  writeFileSync(`${path}.mended-wal`, "half of it");
  const log = open(dir);
  expect(contents(log)).toEqual(expected(0, 600));
  log.close();
  expect(readdirSync(dir).filter((name) => name.includes("mended"))).toEqual([]);
});

test("a file that is cut off is read as far as it is whole, and written to no more", () => {
  const dir = tempFolder();
  const paths = madeLog(dir);
  const path = paths.at(-1) ?? "";
  const before = statSync(path).size;
  truncateSync(path, Math.floor(before / 2 / 4_096) * 4_096);
  const log = open(dir, 600);
  const got = contents(log);
  expect(got.slice(0, firstOf(path))).toEqual(expected(0, firstOf(path)));
  for (const line of got) expect(expected(0, 600)).toContain(line);
  expect(log.stats().damages.length).toBeGreaterThan(0);
  expect(log.append(numbered(600, 5))).toMatchObject({ fromOffset: 600 });
  expect(contents(log, 600)).toEqual(expected(600, 605));
  log.close();
});

test("a damaged file is never deleted: pruning sets it aside, beside one that was set aside before", () => {
  const dir = tempFolder();
  const [path = ""] = madeLog(dir);
  alter(path, 30, "body = x''");
  writeFileSync(`${path}.damaged`, "an older one");
  const log = open(dir);
  contents(log);
  log.prune(599);
  log.close();
  expect(readdirSync(dir).filter((name) => name.includes("damaged"))).toHaveLength(2);
  expect(readFileSync(`${path}.damaged`, "utf8")).toBe("an older one");
});

test("a write-ahead log that is torn costs no group before the tear, and what is missing is reported", () => {
  const dir = tempFolder();
  const copy = tempFolder();
  const log = openLog(dir);
  for (let i = 0; i < 5; i++) log.append(numbered(i * 10, 10, 400));
  const [name = ""] = readdirSync(dir).filter((name) => name.endsWith(".db"));
  for (const suffix of ["", "-wal"]) copyFileSync(join(dir, name + suffix), join(copy, name + suffix));
  log.close();
  const wal = join(copy, `${name}-wal`);
  truncateSync(wal, statSync(wal).size - 1_000); // In the last group's frames.
  const torn = open(copy, 50);
  expect(contents(torn)).toEqual(expected(0, 40));
  expect(torn.stats().damages).toMatchObject([{ fromOffset: 40, endOffset: 50 }]);
  expect(torn.append(numbered(50, 5))).toMatchObject({ fromOffset: 50 });
  expect(contents(torn)).toEqual([...expected(0, 40), ...expected(50, 55)]);
  torn.close();
});

/*
 * Goal: no damage makes the log hang, fail to open, or give a message that was not stored at that offset.
 * Method: bytes of one file are overwritten at random places, lengths and contents.
 */
test("whatever bytes of a file are overwritten, the log opens, goes on, and gives nothing that is not true", () => {
  const dir = tempFolder();
  const paths = madeLog(dir, 25);
  const truth = new Set(expected(0, 250));
  const flips = fc.array(
    fc.record({ at: fc.nat(70_000), bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
    { minLength: 1, maxLength: 6 },
  );
  let damaged = 0;
  fc.assert(
    fc.property(flips, fc.nat(paths.length - 1), (places, which) => {
      const work = tempFolder();
      for (const path of paths) copyFileSync(path, join(work, path.slice(dir.length)));
      const path = join(work, (paths[which] ?? "").slice(dir.length));
      for (const { at, bytes } of places) overwrite(path, at % statSync(path).size, bytes);
      const log = open(work, 250);
      const got = contents(log);
      for (const line of got) expect(truth).toContain(line);
      expect(new Set(got).size).toBe(got.length);
      for (const other of paths.filter((_, i) => i !== which)) {
        const end = firstOf(paths[paths.indexOf(other) + 1] ?? "") || 250;
        for (const line of expected(firstOf(other), end)) expect(got).toContain(line);
      }
      const isLess = got.length < 250;
      damaged += Number(isLess);
      expect(isLess && log.stats().damages.length === 0).toBe(false);
      expect(log.append(numbered(250, 2)).fromOffset).toBeGreaterThanOrEqual(250);
      expect(
        contents(log)
          .slice(-2)
          .map((line) => line.split(" ")[1]),
      ).toEqual(["250", "251"]);
      log.close();
      rmSync(work, { recursive: true });
    }),
    { numRuns: 60 },
  );
  expect(damaged).toBeGreaterThan(20);
});

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const handle = openSync(path, "r+");
  writeSync(handle, bytes, 0, bytes.length, at);
  closeSync(handle);
}
