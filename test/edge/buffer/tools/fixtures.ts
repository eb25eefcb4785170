import { closeSync, cpSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import { encodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { Bodies } from "../../../../edge/buffer/body.ts";
import { SegmentLog } from "../../../../edge/buffer/segment-log.ts";
import { StateStore } from "../../../../edge/buffer/state-store.ts";
import { LIMITS, numbered, tempFolder } from "../fixtures.ts";

export const GROUPS = 40;
export const GROUP_MESSAGES = 10;

/** Readings of the messages [from, to], one each. */
export function readingsOf(from: number, to: number): ReadingBlock {
  const count = to - from + 1;
  const offsets = Float64Array.from({ length: count }, (_, i) => from + i);
  return {
    count,
    series: [{ device: "pump-1", deviceType: "pump", metric: "n", unit: undefined }],
    seriesIndex: new Uint32Array(count),
    offset: offsets,
    index: new Uint32Array(count),
    measuredAtUs: offsets.map((offset) => 1_700_000_000_000_000 + offset),
    receivedAtUs: offsets.map((offset) => 1_700_000_000_000_001 + offset),
    value: offsets.map((offset) => offset * 2),
    clock: new Uint8Array(count),
    withheld: new Uint8Array(count),
  };
}

/**
 * A buffer of 400 messages in several segments; 300 are derived, 200 of them sealed, 100 delivered. `crashed` leaves the
 * write-ahead logs as a killed process does, with the newest commits in them alone.
 */
export function makeBuffer({ bodies = new Bodies(), crashed = false } = {}): string {
  const dir = tempFolder();
  const clock = new SimulatedClock(1_700_000_000_000_000);
  const state = StateStore.open({ dir, bodies, clock, log: silentLog });
  const log = SegmentLog.open({
    dir: join(dir, "segments"),
    limits: LIMITS,
    floorOffset: 0,
    bootId: "boot",
    bodies,
    otherBytes: () => 0,
    clock,
    log: silentLog,
  });
  for (let i = 0; i < GROUPS; i++) log.append(numbered(i * GROUP_MESSAGES, GROUP_MESSAGES, 400));
  for (let from = 0; from < 300; from += 50) {
    const block = readingsOf(from, from + 49);
    state.commitStep({
      throughOffset: from + 49,
      appended: [
        { stream: "readings", from, to: from + 49, rows: 50, chunk: encodeChunk("readings", block) },
      ],
      counters: { messages: 50, readings: 50 },
      meta: { inference: JSON.stringify({ device: "pump-1" }) },
      ...(from === 250 ? { checkpoint: new Uint8Array(5_000).fill(7) } : {}),
    });
  }
  for (const from of [0, 100]) {
    const { ids } = state.readPending("readings", 100);
    const body = encodeLanding("readings", [readingsOf(from, from + 99)]);
    const batch = { stream: "readings", from, to: from + 99, rows: 100, key: `landing/${from}` } as const;
    state.seal({ ...batch, sha256: sha256Hex(body), body }, ids);
  }
  state.markDelivered(state.peekOutbox(1, "readings")[0]?.id ?? -1);
  if (!crashed) {
    log.close();
    state.close();
    return dir;
  }
  const copy = tempFolder();
  cpSync(dir, copy, { recursive: true });
  log.close();
  state.close();
  return copy;
}

/** Flips one bit of a file. */
export function flip(path: string, at: number, bit = 0): void {
  const handle = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  const place = at % fstatSync(handle).size;
  readSync(handle, byte, 0, 1, place);
  byte[0] = (byte[0] ?? 0) ^ (1 << bit);
  writeSync(handle, byte, 0, 1, place);
  closeSync(handle);
}
