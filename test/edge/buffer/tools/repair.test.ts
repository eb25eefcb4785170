import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Bodies } from "../../../../edge/buffer/body.ts";
import { BodyCipher } from "../../../../edge/buffer/cipher.ts";
import { QuarantineStore } from "../../../../edge/buffer/quarantine-store.ts";
import { type GroupRow, groupChecksum } from "../../../../edge/buffer/segment.ts";
import { StateStore } from "../../../../edge/buffer/state-store.ts";
import { examineBuffer } from "../../../../edge/buffer/tools/examine.ts";
import { repairBuffer } from "../../../../edge/buffer/tools/repair.ts";
import { finishRepairs } from "../../../../edge/buffer/tools/salvage.ts";
import { judgeBuffer } from "../../../../edge/buffer/tools/verdict.ts";
import { codeOf, messageOf, refusingLog } from "../fixtures.ts";
import { flip, makeBuffer } from "./fixtures.ts";

const plain = new Bodies();
const looking = { bodies: plain, replace: false, only: [] };
const replacing = { ...looking, replace: true };
const isWhole = (dir: string): boolean => judgeBuffer(examineBuffer(dir, plain)).isWhole;

const segmentsOf = (dir: string): string[] =>
  readdirSync(join(dir, "segments"))
    .filter((name) => /^segment-\d+\.db$/.test(name))
    .sort()
    .map((name) => join(dir, "segments", name));

const groupsIn = (path: string): GroupRow[] => {
  const file = new Database(path, { readonly: true });
  const rows = file.prepare("SELECT * FROM message_group ORDER BY first").all() as GroupRow[];
  file.close();
  return rows;
};

test("a whole buffer needs no repair, and none is made", () => {
  const dir = makeBuffer();
  expect(repairBuffer(dir, replacing)).toEqual([]);
  expect(readdirSync(join(dir, "segments")).filter((name) => /damaged|repaired/.test(name))).toEqual([]);
});

test("a repair without replace leaves the damaged file as it is, and writes a whole one beside it", () => {
  const dir = makeBuffer();
  const [path = ""] = segmentsOf(dir);
  truncateSync(path, statSync(path).size - 20_000);
  const before = readFileSync(path);
  const [repair, ...more] = repairBuffer(dir, looking);
  expect(more).toEqual([]);
  expect(repair).toMatchObject({ file: path, repaired: `${path}.repaired`, aside: undefined });
  expect(readFileSync(path)).toEqual(before);
  expect(repair?.savedMessages).toBe(
    140 - (repair?.lost ?? []).reduce((sum, { from, end }) => sum + end - from, 0),
  );
});

test("with replace the whole file takes the damaged one's place, which is kept, and the rest is whole", () => {
  const dir = makeBuffer();
  const [path = ""] = segmentsOf(dir);
  const damaged = readFileSync(path);
  damaged.fill(0, 0, 4_096);
  writeFileSync(path, damaged);
  expect(isWhole(dir)).toBe(false);
  const [repair] = repairBuffer(dir, replacing);
  expect(repair).toMatchObject({ savedMessages: 140, lost: [], repaired: path, aside: `${path}.damaged` });
  expect(readFileSync(`${path}.damaged`)).toEqual(damaged);
  expect(isWhole(dir)).toBe(true);
});

test("a segment that was set aside is repaired by name only, and never put back among the others", () => {
  const dir = makeBuffer();
  const [path = ""] = segmentsOf(dir);
  copyFileSync(path, `${path}.damaged`);
  expect(repairBuffer(dir, replacing)).toEqual([]);
  const [repair] = repairBuffer(dir, { ...replacing, only: [`${path}.damaged`] });
  expect(repair).toMatchObject({
    savedMessages: 140,
    repaired: `${path}.damaged.repaired`,
    aside: undefined,
  });
  expect(repair?.kept).toMatch(/set aside/);
});

test("a file that the buffer does not have is refused by name", () => {
  expect(codeOf(() => repairBuffer(makeBuffer(), { ...looking, only: ["segment-9.db"] }))).toBe(
    "config.buffer_file",
  );
});

test("without the key every whole group of an encrypted segment is saved all the same", () => {
  const dir = makeBuffer({ bodies: new Bodies(new BodyCipher(new Uint8Array(32).fill(3))) });
  const [path = ""] = segmentsOf(dir);
  flip(path, 100, 6); // The type of the first page.
  const [repair] = repairBuffer(dir, { ...looking, only: [path] });
  expect(repair).toMatchObject({ savedMessages: 140, lost: [] });
});

/*
 * Goal: a repair saves every group whose stored bytes are whole, and reports all others.
 * Method: bits are flipped and the file is cut off at random. What was stored is known, and SQLite tells where each
 * group lies in the file: where no byte there changed, the group must be saved. Everything saved must be true.
 */
test("a repair saves what is true, all of what the damage did not touch, and reports the rest", () => {
  const dir = makeBuffer();
  const [path = ""] = segmentsOf(dir);
  const original = readFileSync(path);
  const truth = new Map(groupsIn(path).map((row) => [row.first, row]));
  const places = placesOfGroups(path);
  expect([...places.keys()]).toEqual([...truth.keys()]);
  const harm = fc.record({
    flips: fc.array(fc.tuple(fc.nat(), fc.nat(7)), { maxLength: 8 }),
    share: fc.option(fc.double({ min: 0.1, max: 1, noNaN: true }), { nil: 1 }),
  });
  fc.assert(
    fc.property(harm, ({ flips, share }) => {
      writeFileSync(path, original.subarray(0, Math.ceil(original.length * share)));
      for (const [at, bit] of flips) flip(path, at, bit);
      const harmed = readFileSync(path);
      const [repair] = repairBuffer(dir, { ...looking, only: [path] });
      const saved = repair?.repaired === undefined ? [] : groupsIn(repair.repaired);
      for (const row of saved) {
        expect(row).toEqual(truth.get(row.first));
        expect(groupChecksum(row)).toBe(row.checksum);
      }
      const names = new Set(saved.map(({ first }) => first));
      const gone = [...truth.keys()].filter((first) => !names.has(first));
      expect(gone.filter((first) => !isCovered(repair?.lost ?? [], first))).toEqual([]);
      const isUntouched = ({ from, end }: Extent): boolean =>
        end <= harmed.length && harmed.subarray(from, end).equals(original.subarray(from, end));
      expect(gone.filter((first) => places.get(first)?.every(isUntouched))).toEqual([]);
      if (repair?.repaired !== undefined) rmSync(repair.repaired);
    }),
    { numRuns: 60 },
  );
});

test("a torn write-ahead log costs only the groups whose own pages are torn", () => {
  const dir = makeBuffer({ crashed: true });
  const path = segmentsOf(dir).at(-1) ?? "";
  const wal = `${path}-wal`;
  expect(statSync(wal).size).toBeGreaterThan(10_000);
  flip(wal, 32 + 24 + 100); // In the first frame: SQLite gives up all behind it.
  const [repair] = repairBuffer(dir, replacing);
  expect(repair?.file).toBe(path);
  expect(repair?.savedMessages).toBeGreaterThanOrEqual(110);
  expect(existsSync(`${path}.damaged-wal`)).toBe(true);
  expect(isWhole(dir)).toBe(true);
});

test("a state whose rows are all there is put in place as it was; nothing of it is lost", () => {
  const dir = makeBuffer();
  const path = join(dir, "state.db");
  const open = (log = refusingLog()) => StateStore.open({ dir, clock: new SimulatedClock(0), log });
  const before = factsOf(open());
  const file = new Database(path, { readonly: true });
  const root = file.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'pending_by_stream'").pluck();
  flip(path, (Number(root.get()) - 1) * 4_096); // The type of the index's first page.
  file.close();
  expect(isWhole(dir)).toBe(false);
  const [repair] = repairBuffer(dir, replacing);
  expect(repair).toMatchObject({ file: path, lost: [] });
  expect(factsOf(open())).toEqual(before);
});

test("a state with rows lost is not put in place: the gateway does better from the messages", () => {
  const dir = makeBuffer();
  const path = join(dir, "state.db");
  const content = readFileSync(path);
  const at = content.indexOf(Buffer.from("pump-1"), 4_096);
  flip(path, at);
  const [repair] = repairBuffer(dir, replacing);
  expect(repair?.kept).toMatch(/epoch/);
  expect(existsSync(path)).toBe(true);
});

test("a crash while a mended state takes the damaged one's place costs nothing", () => {
  const dir = makeBuffer();
  const path = join(dir, "state.db");
  const open = () => StateStore.open({ dir, clock: new SimulatedClock(0), log: refusingLog() });
  const before = factsOf(open());
  renameSync(path, `${path}.mended`); // The new file, whole,
  writeFileSync(`${path}.damaged`, "the old one"); // and the old one is out of the way already.
  finishRepairs(dir);
  expect(factsOf(open())).toEqual(before);
});

test("quarantined messages that are whole are put in place, and the others are named", () => {
  const dir = makeBuffer();
  const path = join(dir, "quarantine.db");
  const stored = QuarantineStore.open(dir, { bodies: plain, log: refusingLog() });
  const messages = [0, 1, 2].map((offset) => ({ ...messageOf(`payload ${offset}`), offset }));
  const rows = messages.map(({ client, topic, payload, offset, receivedAtUs }) => {
    const cause = { reason: "payload.malformed", detail: "no JSON" } as const;
    const payloadBytes = payload.length;
    return { ...cause, client, topic, payload, offset, receivedAtUs, payloadBytes, index: 0 };
  });
  stored.keep(messages, rows, { epoch: "epoch", bytesMax: 1e6, stored: new Map() });
  stored.close();
  flip(path, readFileSync(path).indexOf("payload 1"));
  const [repair] = repairBuffer(dir, replacing);
  expect(repair).toMatchObject({
    repaired: path,
    kept: undefined,
    savedRows: expect.any(Number),
    lost: [{ what: "quarantined message of epoch", from: 1, end: 2 }],
  });
  expect(isWhole(dir)).toBe(true);
  const after = QuarantineStore.attach(dir, plain);
  expect(
    Array.from(
      after.messages(() => expect.unreachable()),
      ({ offset }) => offset,
    ),
  ).toEqual([0, 2]);
  after.close();
});

const isCovered = (lost: readonly { from: number; end: number }[], first: number): boolean =>
  lost.some(({ from, end }) => first >= from && first < end);

/** Bytes [from, end) of a file. */
interface Extent {
  readonly from: number;
  readonly end: number;
}

/** Where each group's own bytes are, by its first offset: its cell, and the overflow pages behind it. */
function placesOfGroups(path: string): ReadonlyMap<number, readonly Extent[]> {
  const file = new Database(path, { readonly: true });
  const pages = file
    .prepare("SELECT path, pagetype AS type, pgoffset AS at, pgsize AS bytes FROM dbstat WHERE name = ?")
    .all("message_group") as { path: string; type: string; at: number; bytes: number }[];
  file.close();
  const content = readFileSync(path);
  const cells = pages
    .filter(({ type }) => type === "leaf")
    .flatMap((leaf) => {
      const page = content.subarray(leaf.at, leaf.at + leaf.bytes);
      const starts = Array.from({ length: page.readUInt16BE(3) }, (_, i) => page.readUInt16BE(8 + 2 * i));
      return starts.map((start, i): readonly Extent[] => {
        const end = Math.min(leaf.bytes, ...starts.filter((other) => other > start));
        const behind = `${leaf.path}${i.toString(16).padStart(3, "0")}+`;
        return [
          { from: leaf.at + start, end: leaf.at + end },
          ...pages
            .filter((page) => page.path.startsWith(behind))
            .map(({ at, bytes }) => ({ from: at, end: at + bytes })),
        ];
      });
    });
  return new Map(groupsIn(path).map(({ first }, i) => [first, cells[i] ?? []]));
}

function factsOf(state: StateStore) {
  const facts = {
    epoch: state.epoch,
    decoded: state.decodedThrough,
    counters: state.counters(),
    pending: state.readPending("readings", 1e9),
    outbox: state.peekOutbox(10, "readings"),
    checkpoint: state.checkpoint(),
  };
  state.close();
  return facts;
}
