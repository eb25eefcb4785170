import { copyFileSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { expect, test } from "vitest";
import { StateStore } from "../../../edge/buffer/state-store.ts";
import { tempFolder } from "./fixtures.ts";

const open = (dir: string): StateStore =>
  StateStore.open({ dir, clock: new SimulatedClock(1_700_000_000_000_000), log: silentLog });

function derive(state: StateStore, stream: Stream, from: number, to: number): void {
  const chunk = new Uint8Array(10);
  const rows = to - from + 1;
  state.commitStep({ throughOffset: to, appended: [{ stream, from, to, rows, chunk }], counters: {} });
}

function seal(state: StateStore, stream: Stream): number {
  const { ids, from, to, rows } = state.readPending(stream, 1_000);
  const body = new Uint8Array(10);
  state.seal({ stream, from, to, rows, key: `${stream}/${from}-${to}`, sha256: "0", body }, ids);
  return state.peekOutbox(10, stream).at(-1)?.id ?? -1;
}

const copy = (from: string, to: string): void => {
  for (const suffix of ["", "-wal"]) {
    rmSync(to + suffix, { force: true });
    if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix);
  }
};

// Goal: a state file that has lost its newest commits, which SQLite cannot see, makes no second batches of rows that
// the lake may have. Method: an earlier copy of the file is put in place of the newest.
test.each(["sent", "delivered"] as const)(
  "a state that is older than a batch that was %s is set aside, and a new epoch begins from what the lake has",
  (fate) => {
    const dir = tempFolder();
    const [path, earlier] = [join(dir, "state.db"), join(tempFolder(), "state.db")];
    const state = open(dir);
    const { epoch } = state;
    derive(state, "readings", 0, 9);
    copy(path, earlier);
    const id = seal(state, "readings");
    state.beginUpload(id);
    if (fate === "delivered") state.markDelivered(id);
    state.close();
    copy(earlier, path);

    const next = open(dir);
    expect(next.epoch).not.toBe(epoch);
    expect(next.decodedThrough).toBe(fate === "delivered" ? 9 : -1);
    expect(readdirSync(dir)).toContain("state.db.damaged");
    derive(next, "readings", 10, 19);
    next.beginUpload(seal(next, "readings"));
    const second = next.epoch;
    next.close();
    // Only once: the new epoch is as new as what was sent of it.
    const again = open(dir);
    expect(again.epoch).toBe(second);
    again.close();
  },
);

test("a state that has lost what was never sent goes on in its epoch", () => {
  const dir = tempFolder();
  const [path, earlier] = [join(dir, "state.db"), join(tempFolder(), "state.db")];
  const state = open(dir);
  const { epoch } = state;
  derive(state, "readings", 0, 9);
  state.markDelivered(state.beginUpload(seal(state, "readings"))?.id ?? -1);
  copy(path, earlier);
  derive(state, "readings", 10, 19);
  seal(state, "readings");
  state.close();
  copy(earlier, path);
  const next = open(dir);
  expect(next.epoch).toBe(epoch);
  expect(next.decodedThrough).toBe(9);
  next.close();
});
