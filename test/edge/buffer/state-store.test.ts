import { closeSync, openSync, readdirSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { assert } from "@sluice/shared/runtime/assert.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import Database from "better-sqlite3";
import { expect, test, vi } from "vitest";
import type { AppendedRows } from "../../../edge/buffer/pending.ts";
import { StateStore } from "../../../edge/buffer/state-store.ts";
import { codeOf, refusingLog, tempFolder } from "./fixtures.ts";

const clock = new SimulatedClock(1_700_000_000_000_000);
const open = (dir: string): StateStore => StateStore.open({ dir, clock, log: refusingLog() });

const rowsOf = (stream: Stream, from: number, to: number, bytes = 10): AppendedRows => ({
  stream,
  from,
  to,
  rows: to - from + 1,
  chunk: new Uint8Array(bytes).fill(from),
});

function commit(state: StateStore, throughOffset: number, ...appended: AppendedRows[]): void {
  state.commitStep({ throughOffset, appended, counters: { messages: throughOffset - state.decodedThrough } });
}

/** Seals what is pending of a stream up to so many rows, as the uplink does. */
function seal(state: StateStore, stream: Stream, rowsMax = 1_000_000): void {
  const { ids, from, to, rows, chunks } = state.readPending(stream, rowsMax);
  const body = Buffer.concat(chunks);
  state.seal({ stream, from, to, rows, key: `${stream}/${from}-${to}`, sha256: "0", body }, ids);
}

const deliver = (state: StateStore, stream: Stream): void =>
  state.markDelivered(state.peekOutbox(1, stream)[0]?.id ?? -1);

/** Everything that can be asked of a state. */
const facts = (state: StateStore) => ({
  epoch: state.epoch,
  decodedThrough: state.decodedThrough,
  counters: state.counters(),
  note: state.meta("note"),
  features: state.nextSeq("features"),
  checkpoint: state.checkpoint(),
  pending: { ...state.pending("readings") },
  read: state.readPending("readings", 1e9),
  outbox: state.peekOutbox(10, "readings"),
  sealed: state.sealedThrough("readings"),
  delivered: state.deliveredThrough("readings"),
  inLake: state.deliveredOffset(),
});

test("a state is the same after a reopen, whatever was done before", () => {
  const dir = tempFolder();
  let state = open(dir);
  expect(state.decodedThrough).toBe(-1);
  commit(state, 9, rowsOf("readings", 0, 9), rowsOf("features", 0, 3), rowsOf("quarantine", 0, 9));
  state.commitStep({
    throughOffset: 19,
    appended: [rowsOf("readings", 10, 19)],
    counters: { messages: 10, readings: 40 },
    meta: { note: "two" },
    checkpoint: Uint8Array.of(1, 2, 3),
  });
  commit(state, 24, rowsOf("readings", 20, 24));
  seal(state, "readings", 12);
  seal(state, "readings", 10);
  deliver(state, "readings");
  const before = facts(state);
  expect(before).toMatchObject({
    decodedThrough: 24,
    counters: { messages: 25, readings: 40 },
    note: "two",
    features: 4,
    pending: { rows: 5, bytes: 15 }, // With the checksum before the chunk.
    sealed: 19,
    delivered: 9,
  });
  expect(before.checkpoint?.throughOffset).toBe(19);
  expect(before.outbox.map(({ from, to, rows, body }) => [from, to, rows, body.length])).toEqual([
    [10, 19, 10, 10],
  ]);
  state.close();
  state = open(dir);
  expect(facts(state)).toEqual(before);
  state.close();
});

test("pending rows are taken oldest first in whole chunks, one at the least", () => {
  const state = open(tempFolder());
  for (let i = 0; i < 200; i++) commit(state, i, rowsOf("readings", i, i));
  commit(state, 299, rowsOf("readings", 200, 299));
  expect(state.readPending("readings", 150)).toMatchObject({ from: 0, to: 149, rows: 150 });
  expect(state.readPending("readings", 250)).toMatchObject({ from: 0, to: 199, rows: 200 });
  expect(state.readPending("labels", 10)).toEqual({ ids: [], chunks: [], from: -1, to: -1, rows: 0 });
  seal(state, "readings", 200);
  expect(state.readPending("readings", 1)).toMatchObject({ from: 200, to: 299, rows: 100 });
  state.close();
});

test("a step that fails leaves nothing of itself, in memory or on disk, and can be committed again", () => {
  const dir = tempFolder();
  const pragma = vi.spyOn(Database.prototype, "pragma");
  const state = open(dir);
  const file = pragma.mock.contexts.find(
    (file) => file instanceof Database && file.name.endsWith("state.db"),
  );
  pragma.mockRestore();
  assert(file instanceof Database, "the open state file");
  commit(state, 4, rowsOf("readings", 0, 4));
  const before = facts(state);
  file.pragma("max_page_count = 12");
  expect(codeOf(() => commit(state, 9, rowsOf("labels", 5, 9), rowsOf("readings", 5, 9, 500_000)))).toBe(
    "buffer.disk_full",
  );
  expect(facts(state)).toEqual(before);
  expect(state.pending("labels").rows).toBe(0);
  file.pragma("max_page_count = 1000000");
  commit(state, 9, rowsOf("labels", 5, 9), rowsOf("readings", 5, 9, 500_000));
  expect(state.counters()).toEqual({ messages: 10 });
  expect(() => commit(state, 3)).toThrow("broken promise");
  state.close();
});

test("marking a batch delivered twice changes nothing", () => {
  const state = open(tempFolder());
  commit(state, 9, rowsOf("readings", 0, 9));
  seal(state, "readings");
  const id = state.peekOutbox(1, "readings")[0]?.id ?? -1;
  state.markDelivered(id);
  state.markDelivered(id);
  expect(state.outbox()).toEqual({ batches: 0, bytes: 0 });
  expect(state.deliveredThrough("readings")).toBe(9);
  state.close();
});

test("a message is in the lake when its readings, labels and quarantined values all are", () => {
  const state = open(tempFolder());
  expect(state.deliveredOffset()).toBe(-1);
  commit(state, 9, rowsOf("readings", 0, 9), rowsOf("quarantine", 0, 9), rowsOf("features", 0, 5));
  seal(state, "readings");
  deliver(state, "readings");
  expect(state.deliveredOffset()).toBe(-1);
  seal(state, "quarantine");
  expect(state.deliveredOffset()).toBe(-1);
  deliver(state, "quarantine");
  expect(state.deliveredOffset()).toBe(9);
  commit(state, 12); // Nothing followed from these.
  expect(state.deliveredOffset()).toBe(12);
  state.close();
});

test("delivered rows leave their room to new ones: the file stays as it is over a thousand batches", () => {
  const dir = tempFolder();
  const state = open(dir);
  let size = 0;
  for (let i = 0; i < 1_000; i++) {
    commit(state, i, rowsOf("readings", i, i, 20_000));
    seal(state, "readings");
    deliver(state, "readings");
    if (i === 100) size = state.diskBytes();
  }
  expect(state.diskBytes()).toBeLessThanOrEqual(size * 1.1);
  state.close();
  expect(statSync(join(dir, "state.db")).size).toBeLessThan(1_000_000);
});

const garbage = (path: string): void => {
  const handle = openSync(path, "r+");
  writeSync(handle, Buffer.alloc(300, 0x5a), 0, 300, 0);
  closeSync(handle);
};

test.each([
  ["garbage in its header", garbage],
  ["half of itself", (path: string) => truncateSync(path, 8_192)],
  ["another table in it", (path: string) => foreign(path)],
])("a state with %s gives way to a new epoch from the first message that the lake lacks", (_, harm) => {
  const dir = tempFolder();
  let state = open(dir);
  const { epoch } = state;
  commit(state, 9, rowsOf("readings", 0, 9), rowsOf("quarantine", 0, 9));
  for (const stream of ["readings", "quarantine"] as const) {
    seal(state, stream);
    deliver(state, stream);
  }
  // These readings are in the lake, these quarantined values are not: the message counts as undelivered.
  commit(state, 19, rowsOf("readings", 10, 19, 30_000), rowsOf("quarantine", 10, 19));
  seal(state, "readings");
  deliver(state, "readings");
  state.close();
  harm(join(dir, "state.db"));
  const errors: string[] = [];
  state = StateStore.open({ dir, clock, log: { ...silentLog, error: (_, text) => errors.push(text) } });
  expect(errors).toHaveLength(1);
  expect(state.epoch).not.toBe(epoch);
  expect(state.decodedThrough).toBe(9);
  // The new epoch's batches begin at 0, so that the lake sees no gap in it.
  expect([state.sealedThrough("readings"), state.deliveredThrough("quarantine")]).toEqual([-1, -1]);
  expect(readdirSync(dir).filter((name) => name.includes("damaged"))).toContain("state.db.damaged");
  commit(state, 14, rowsOf("readings", 10, 14));
  const next = state.epoch;
  state.close();
  state = open(dir);
  expect([state.epoch, state.decodedThrough]).toEqual([next, 14]);
  state.close();
});

test("damaged delivery marks do not stop the gateway, and the state itself is not touched", () => {
  const dir = tempFolder();
  let state = open(dir);
  commit(state, 9, rowsOf("readings", 0, 9));
  const { epoch } = state;
  state.close();
  garbage(join(dir, "marks.db"));
  state = StateStore.open({ dir, clock, log: silentLog });
  expect([state.epoch, state.decodedThrough]).toEqual([epoch, 9]);
  state.close();
});

test("a folder that cannot be made is refused with the reason", () => {
  const dir = tempFolder();
  writeFileSync(join(dir, "file"), "x");
  expect(codeOf(() => open(join(dir, "file")))).toBe("buffer.unwritable");
});

function foreign(path: string): void {
  const file = new Database(path);
  file.exec("DROP TABLE mark; CREATE TABLE mark (other)");
  file.close();
}

test("events told from anywhere get one number each, with their counters, and none that fails leaves a gap", () => {
  const dir = tempFolder();
  const state = open(dir);
  const told = (detail: string): NewEvent => ({ kind: "import.done", atUs: 5, count: 1, detail });
  state.commitStep({ throughOffset: 3, appended: [], events: [told("a"), told("b")], counters: {} });
  state.appendEvents([told("c")], { imports: 2 });
  state.appendEvents([]);
  state.commitStep({ throughOffset: 4, appended: [], events: [told("d")], counters: {} });
  const { from, to, rows, chunks } = state.readPending("events", 100);
  expect({ from, to, rows }).toEqual({ from: 0, to: 3, rows: 4 });
  expect(chunks.flatMap((chunk) => decodeChunk("events", chunk))).toEqual(
    ["a", "b", "c", "d"].map((detail, seq) => ({ ...told(detail), seq })),
  );
  expect(state.decodedThrough).toBe(4);
  expect(state.counters()).toEqual({ imports: 2 });
  state.close();
});
