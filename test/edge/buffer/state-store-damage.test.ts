import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { StateStore } from "../../../edge/buffer/state-store.ts";
import { codeOf } from "./fixtures.ts";
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
