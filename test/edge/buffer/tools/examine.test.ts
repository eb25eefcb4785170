import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Bodies } from "../../../../edge/buffer/body.ts";
import { BodyCipher } from "../../../../edge/buffer/cipher.ts";
import { examineBuffer } from "../../../../edge/buffer/tools/examine.ts";
import { judgeBuffer, type Verdict } from "../../../../edge/buffer/tools/verdict.ts";
import { codeOf, tempFolder } from "../fixtures.ts";
import { flip, makeBuffer } from "./fixtures.ts";

const plain = new Bodies();
const withKey = (): Bodies => new Bodies(new BodyCipher(new Uint8Array(32).fill(3)));
const verify = (dir: string, bodies = plain): Verdict => judgeBuffer(examineBuffer(dir, bodies));

/** Every file below a folder. */
const filesIn = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

const listing = (dir: string): string[] =>
  filesIn(dir)
    .map((path) => `${path} ${statSync(path).mtimeMs} ${readFileSync(path).toString("base64")}`)
    .sort();

test.each([
  ["closed", false],
  ["killed", true],
])("a %s buffer is whole, its facts are told, and looking touches nothing", (_, crashed) => {
  const dir = makeBuffer({ crashed });
  const before = listing(dir).filter((line) => !line.includes("-shm "));
  const facts = examineBuffer(dir, plain);
  expect(judgeBuffer(facts)).toEqual({ isWhole: true, findings: [], aside: [], messages: 400 });
  expect(facts.segments.map(({ firstOffset }) => firstOffset)).toEqual([0, 140, 280]);
  expect(facts.segments.at(-1)).toMatchObject({ endOffset: 400, boots: 1, lost: [] });
  expect(facts.states.find(({ file }) => file.endsWith("state.db"))).toMatchObject({
    marks: { decoded: 299, "sealed.readings": 199, "delivered.readings": 99 },
    counters: { messages: 300, readings: 300 },
    pending: { readings: { chunks: 2, rows: 100 } },
    outbox: { readings: { chunks: 1, rows: 100 } },
    checkpoint: { throughOffset: 299 },
  });
  expect(listing(dir).filter((line) => !line.includes("-shm "))).toEqual(before);
});

test("an encrypted buffer is whole with its key, refused without it or with another, and shows no names", () => {
  const dir = makeBuffer({ bodies: withKey() });
  expect(verify(dir, withKey()).isWhole).toBe(true);
  expect(codeOf(() => verify(dir))).toBe("keys.buffer_missing");
  const other = new Bodies(new BodyCipher(new Uint8Array(32).fill(4)));
  expect(codeOf(() => verify(dir, other))).toBe("keys.buffer_wrong");
  for (const path of filesIn(dir)) expect(readFileSync(path).includes("pump-1")).toBe(false);
});

/*
 * Goal: no change of what a buffer holds passes unseen, and no damage makes the tools crash or hang.
 * Method: one bit of one file is flipped; what SQLite itself reads tells whether the content is another.
 */
test.each([
  ["closed", false],
  ["killed", true],
])("every flipped bit of a %s buffer that changes what it holds is found", (_, crashed) => {
  const dir = makeBuffer({ crashed });
  const paths = filesIn(dir).filter((path) => /\.db(-wal)?$/.test(path));
  const truth = new Map(paths.map((path) => [path, contentOf(path)]));
  let changed = 0;
  fc.assert(
    fc.property(fc.nat(paths.length - 1), fc.nat(), fc.nat(7), (which, at, bit) => {
      const path = paths[which] ?? "";
      const original = readFileSync(path);
      if (original.length === 0) return;
      flip(path, at, bit);
      const verdict = verify(dir);
      const isOther = contentOf(path) !== truth.get(path);
      changed += Number(isOther);
      writeFileSync(path, original);
      const place = `${basename(path)} ${at % original.length} bit ${bit}`;
      expect(isOther && verdict.isWhole ? place : "found").toBe("found");
    }),
    { numRuns: 150 },
  );
  expect(changed).toBeGreaterThan(30);
  expect(verify(dir).isWhole).toBe(true);
});

test("a file that is cut off anywhere is found, and what is whole in it is counted", () => {
  const dir = makeBuffer();
  const paths = filesIn(dir).filter((path) => path.endsWith(".db"));
  fc.assert(
    fc.property(fc.nat(paths.length - 1), fc.double({ min: 0, max: 0.999, noNaN: true }), (which, share) => {
      const path = paths[which] ?? "";
      const original = readFileSync(path);
      truncateSync(path, Math.floor(original.length * share));
      const { isWhole, messages } = verify(dir);
      writeFileSync(path, original);
      expect(isWhole).toBe(false);
      expect(messages).toBeLessThanOrEqual(400);
    }),
    { numRuns: 40 },
  );
});

test("random bytes in place of any part of any file neither crash nor hang the tools", () => {
  const dir = makeBuffer({ crashed: true });
  const paths = filesIn(dir).filter((path) => /\.db(-wal)?$/.test(path) && statSync(path).size > 0);
  const harm = fc.record({
    which: fc.nat(paths.length - 1),
    at: fc.nat(100_000),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 5_000 }),
  });
  fc.assert(
    fc.property(fc.array(harm, { minLength: 1, maxLength: 5 }), (harms) => {
      const work = tempFolder();
      cpSync(dir, work, { recursive: true });
      for (const { which, at, bytes } of harms) {
        const path = join(work, (paths[which] ?? "").slice(dir.length));
        const content = readFileSync(path);
        content.set(bytes.subarray(0, content.length - (at % content.length)), at % content.length);
        writeFileSync(path, content);
      }
      expect(verify(work).messages).toBeLessThanOrEqual(400);
      rmSync(work, { recursive: true });
    }),
    { numRuns: 40 },
  );
});

/** What SQLite reads of a file and its log, on a copy; of a broken one, that it is broken. Three tables have no checksums. */
function contentOf(path: string): string {
  const main = path.replace(/-wal$/, "");
  const work = join(tempFolder(), "copy");
  mkdirSync(work);
  const copy = join(work, basename(main));
  copyFileSync(main, copy);
  if (existsSync(`${main}-wal`)) copyFileSync(`${main}-wal`, `${copy}-wal`);
  try {
    const file = new Database(copy);
    try {
      const names = file
        .prepare(
          "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('sqlite_sequence', 'batch_fate', 'kept_window')",
        )
        .pluck()
        .all();
      const check = JSON.stringify(file.pragma("integrity_check"));
      const rows = names.map((name) =>
        file
          .prepare(`SELECT * FROM "${String(name)}"`)
          .raw()
          .all(),
      );
      return check + JSON.stringify(names) + JSON.stringify(rows);
    } finally {
      file.close();
    }
  } catch (error) {
    return String(error);
  } finally {
    rmSync(work, { recursive: true });
  }
}
