// Goal: what a kill leaves in write-ahead logs does not take of the disk budget for as long as the next process lives.
// Method: the files of a buffer that is open are copied, as a kill leaves them, and opened again.
import { cpSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { expect, onTestFinished, test } from "vitest";
import { StateStore } from "../../../edge/buffer/state-store.ts";
import { contents, LIMITS, numbered, openLog, refusingLog, tempFolder } from "./fixtures.ts";

const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0);

function openState(dir: string): StateStore {
  const state = StateStore.open({ dir, clock: new SimulatedClock(0), log: refusingLog() });
  onTestFinished(() => state.close());
  return state;
}

test("the log that a kill leaves beside the state is folded into it at the next start", () => {
  const [before, after] = [tempFolder(), tempFolder()];
  const state = openState(before);
  const rows = { stream: "readings", from: 0, to: 9, rows: 10, chunk: Buffer.alloc(3_000_000, 7) } as const;
  state.commitStep({ throughOffset: 9, appended: [rows], counters: {} });
  cpSync(before, after, { recursive: true });
  expect(sizeOf(join(after, "state.db-wal"))).toBeGreaterThan(3_000_000);
  const opened = openState(after);
  expect(sizeOf(join(after, "state.db-wal"))).toBe(0);
  expect(opened.diskBytes()).toBe(sizeOf(join(after, "state.db")));
  expect([opened.epoch, opened.decodedThrough]).toEqual([state.epoch, 9]);
  expect(opened.readPending("readings", 10).chunks.map((chunk) => chunk.length)).toEqual([3_000_000]);
});

test("a log that one large step has made gives its room back when it is folded", () => {
  const dir = tempFolder();
  const state = openState(dir);
  const log = join(dir, "state.db-wal");
  let at = 0;
  const step = (bytes: number): void => {
    const rows = { stream: "readings", from: at, to: at, rows: 1, chunk: Buffer.alloc(bytes, 7) } as const;
    state.commitStep({ throughOffset: at++, appended: [rows], counters: {} });
  };
  step(20_000_000);
  expect(sizeOf(log)).toBeGreaterThan(20_000_000);
  step(1_000);
  step(1_000);
  expect(sizeOf(log)).toBeLessThan(5_000_000);
});

test("the log that a kill leaves beside the newest segment is folded into it at the next start", () => {
  const [before, after] = [tempFolder(), tempFolder()];
  const limits = { ...LIMITS, segmentBytesMax: 10_000_000 };
  const log = openLog(before, { limits });
  onTestFinished(() => log.close());
  log.append(numbered(0, 100, 10_000));
  cpSync(before, after, { recursive: true });
  const file = join(after, "segment-0000000000000000.db");
  expect(sizeOf(`${file}-wal`)).toBeGreaterThan(1_000_000);
  const opened = openLog(after, { limits });
  onTestFinished(() => opened.close());
  expect(sizeOf(`${file}-wal`)).toBe(0);
  expect(opened.diskBytes).toBe(sizeOf(file));
  expect(contents(opened)).toEqual(contents(log));
});
