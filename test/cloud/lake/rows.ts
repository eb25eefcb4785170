import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import type { Label } from "@sluice/shared/contract/label.ts";
import { type LandingRange, landingKey, SHA256_METADATA } from "@sluice/shared/contract/lake-key.ts";
import type { Prediction } from "@sluice/shared/contract/prediction.ts";
import type { QuarantineRow } from "@sluice/shared/contract/quarantine.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import type { StreamRows } from "@sluice/shared/contract/rows.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

/** 2026-11-21T00:00:00Z. */
export const DAY_US = 1_795_219_200_000_000;
export const EPOCH = "0198a6d2-8c1f-4a5e-9d3b-2f6f0c9a1b7e";

/** Two readings per message, a message every `stepUs`: the value is the offset, with the index behind the point. */
export function readingBlock(fromOffset: number, messages: number, stepUs = 1_000_000): ReadingBlock {
  const count = messages * 2;
  const rows = Array.from({ length: count }, (_, i) => ({ offset: fromOffset + (i >> 1), index: i & 1 }));
  const at = (offset: number): number => DAY_US + offset * stepUs + 123;
  return {
    count,
    series: [
      { device: "pump-1", deviceType: "pump", metric: "vibration_g", unit: "g" },
      { device: "pump-1", deviceType: "pump", metric: "state", unit: undefined },
    ],
    seriesIndex: Uint32Array.from(rows, ({ index }) => index),
    offset: Float64Array.from(rows, ({ offset }) => offset),
    index: Uint32Array.from(rows, ({ index }) => index),
    measuredAtUs: Float64Array.from(rows, ({ offset }) => at(offset)),
    receivedAtUs: Float64Array.from(rows, ({ offset }) => at(offset) + 2_000),
    value: Float64Array.from(rows, ({ offset, index }) => offset + index / 10),
    clock: new Uint8Array(count),
    withheld: Uint8Array.from(rows, ({ offset }) => Number(offset % 3 === 0)),
  };
}

export const vector = (seq: number, change: Partial<StoredVector> = {}): StoredVector => ({
  seq,
  view: "pump_health",
  viewHash: "a".repeat(64),
  device: "pump-1",
  deviceType: "pump",
  windowStartUs: DAY_US + seq * 10_000_000,
  windowEndUs: DAY_US + (seq + 6) * 10_000_000,
  revision: 0,
  sinceOffset: 0,
  throughOffset: seq * 10,
  closedAtUs: DAY_US + (seq + 7) * 10_000_000,
  closedBy: "watermark",
  violations: [],
  withheld: false,
  readingCount: 60,
  values: [seq + 0.5, undefined],
  ...change,
});

export const prediction = (seq: number): Prediction => ({
  seq,
  vectorSeq: seq,
  device: "pump-1",
  deviceType: "pump",
  viewHash: "a".repeat(64),
  windowStartUs: DAY_US + seq * 10_000_000,
  windowEndUs: DAY_US + (seq + 6) * 10_000_000,
  revision: 0,
  model: "pump_health",
  version: 1,
  slot: seq % 2 === 0 ? "champion" : "shadow",
  score: seq / 3,
  threshold: 1,
  anomalous: seq > 3,
  missingCount: 0,
  unlikeTraining: [],
  top: [
    { feature: "accel_rms", share: 0.75 },
    { feature: "flow_mean", share: 0.25 },
  ],
  predictedAtUs: DAY_US + (seq + 8) * 10_000_000,
});

export const label = (offset: number, change: Partial<Label> = {}): Label => ({
  offset,
  device: "pump-1",
  fromUs: DAY_US,
  toUs: DAY_US + 3_600_000_000,
  label: "bearing_fault",
  author: "operator",
  note: 'a "quoted", note; ü',
  knownAtUs: DAY_US + 7_200_000_000 + offset,
  ...change,
});

export const quarantined = (offset: number): QuarantineRow => ({
  offset,
  index: 0,
  receivedAtUs: DAY_US + offset,
  client: "plc",
  topic: "plant/pump-1/x",
  reason: "payload.malformed",
  detail: "not JSON",
  payload: Uint8Array.of(0, 255, offset),
  payloadBytes: 3,
});

/** Puts a batch as a gateway does. Returns its key. */
export async function land<S extends Stream>(
  store: ObjectStore,
  range: LandingRange & { readonly stream: S },
  chunks: readonly StreamRows[S][],
): Promise<string> {
  const body = encodeLanding(range.stream, chunks);
  const key = landingKey(range);
  await store.put(key, body, { ifAbsent: true, metadata: { [SHA256_METADATA]: sha256Hex(body) } });
  return key;
}

/** Lands readings of messages `from` to `to`. */
export const landReadings = (
  store: ObjectStore,
  from: number,
  to: number,
  place: { readonly gateway?: string; readonly epoch?: string; readonly stepUs?: number } = {},
): Promise<string> =>
  land(
    store,
    { stream: "readings", gateway: place.gateway ?? "gw-1", epoch: place.epoch ?? EPOCH, from, to },
    [readingBlock(from, to - from + 1, place.stepUs)],
  );
