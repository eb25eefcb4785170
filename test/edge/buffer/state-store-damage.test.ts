import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { AppendedRows } from "../../../edge/buffer/pending.ts";
import { StateStore } from "../../../edge/buffer/state-store.ts";
import { codeOf, tempFolder } from "./fixtures.ts";
import { flip, makeBuffer } from "./tools/fixtures.ts";

const open = (dir: string): StateStore =>
  StateStore.open({ dir, clock: new SimulatedClock(1_700_000_000_000_000), log: silentLog });

/** Where a text is in the file, behind the schema. */
function placeOf(path: string, text: string): number {
  const at = readFileSync(path).indexOf(Buffer.from(text), 4_096);
  expect(at).toBeGreaterThan(0);
  return at;
}

test("a flipped bit in a mark is not believed: a new epoch begins at once", () => {
  const dir = makeBuffer();
  const path = join(dir, "state.db");
  const before = open(dir);
  const { epoch } = before;
  before.close();
  flip(path, placeOf(path, "decoded") + "decoded".length); // The number of the last derived message.
  const after = open(dir);
  expect(after.epoch).not.toBe(epoch);
  expect(after.decodedThrough).toBe(99); // The lake has these.
  after.close();
  expect(readdirSync(dir)).toContain("state.db.damaged");
});

test("a damaged checkpoint begins a new epoch at once", () => {
  const dir = makeBuffer();
  const path = join(dir, "state.db");
  flip(path, placeOf(path, "\u0007".repeat(100)) + 50);
  const state = open(dir);
  expect(state.checkpoint()).toBeUndefined();
  state.close();
});

test("a batch that is damaged is never sent; the next start begins a new epoch, and only that one", () => {
  const dir = makeBuffer();
  const path = join(dir, "state.db");
  const before = open(dir);
  const [batch] = before.peekOutbox(1, "readings");
  before.close();
  flip(path, readFileSync(path).indexOf(Buffer.from(batch?.body.subarray(50, 150) ?? [])) + 20);
  const state = open(dir);
  const { epoch } = state;
  expect(codeOf(() => state.peekOutbox(1, "readings"))).toBe("buffer.damaged");
  state.close();
  const next = open(dir);
  expect(next.epoch).not.toBe(epoch);
  expect(next.peekOutbox(1, "readings")).toEqual([]);
  expect(next.decodedThrough).toBe(99);
  next.close();
  const again = open(dir);
  expect(again.epoch).toBe(next.epoch);
  again.close();
});

test("what the lake has of one stream is not derived again in a new epoch, and what it lacks of another is", () => {
  const dir = tempFolder();
  const first = open(dir);
  const rows = (stream: Stream, from: number, to: number): AppendedRows => ({
    stream,
    from,
    to,
    rows: to - from + 1,
    chunk: new Uint8Array(10),
  });
  first.commitStep({
    throughOffset: 99,
    appended: [rows("readings", 0, 99), rows("quarantine", 0, 99)],
    counters: {},
  });
  const { ids } = first.readPending("readings", 100);
  const batch = { stream: "readings", from: 0, to: 99, rows: 100, key: "a", sha256: "0" } as const;
  first.seal({ ...batch, body: new Uint8Array(10) }, ids);
  first.markDelivered(first.peekOutbox(1, "readings")[0]?.id ?? -1);
  first.close();
  writeFileSync(join(dir, "state.db"), "garbage".repeat(1_000));
  const second = open(dir);
  expect(second.decodedThrough).toBe(-1); // The lake lacks the quarantine from the first message on.
  expect(second.floorOffset).toBe(100); // But no offset is given again.
  expect(second.stepEnd(0)).toBe(99); // So that no step holds both what the lake has and what it lacks.
  expect(second.stepEnd(100)).toBe(Infinity);
  second.commitStep({
    throughOffset: 99,
    appended: [rows("readings", 0, 99), rows("quarantine", 0, 99)],
    counters: {},
  });
  second.commitStep({ throughOffset: 149, appended: [rows("readings", 100, 149)], counters: {} });
  expect(second.pending("quarantine").rows).toBe(100);
  expect(second.readPending("readings", 1e9)).toMatchObject({ from: 100, to: 149, rows: 50 });
  second.close();
});

/*
 * Goal: whatever is damaged, a state opens, and says nothing that was not stored.
 * Method: bits of the state and of the marks are flipped; what the state says afterwards is compared with what it said.
 */
test("whatever bits are flipped, a state opens and what it says is true", () => {
  const dir = makeBuffer();
  const names = ["state.db", "marks.db"];
  const originals = names.map((name) => readFileSync(join(dir, name)));
  const truth = saidBy(open(dir));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(1), fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 4 }),
      (flips) => {
        for (const [i, name] of names.entries())
          writeFileSync(join(dir, name), originals[i] ?? Buffer.alloc(0));
        for (const [which, at, bit] of flips) flip(join(dir, names[which] ?? ""), at, bit);
        const state = open(dir);
        const isSame = state.epoch === truth.epoch;
        const said = saidBy(state);
        // A batch that is damaged is not given out.
        expect(isSame ? { ...said, outbox: said.outbox ?? truth.outbox } : truth).toEqual(truth);
        expect(isSame ? truth.decoded : said.decoded).toBeLessThanOrEqual(truth.decoded);
      },
    ),
    { numRuns: 60 },
  );
});

function saidBy(state: StateStore) {
  const orDamaged = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof PipelineError) || error.code !== "buffer.damaged") throw error;
      return undefined;
    }
  };
  const said = {
    epoch: state.epoch,
    decoded: state.decodedThrough,
    counters: state.counters(),
    pending: state.readPending("readings", 1e9),
    checkpoint: state.checkpoint(),
    outbox: orDamaged(() => state.peekOutbox(10, "readings")),
  };
  state.close();
  return said;
}
