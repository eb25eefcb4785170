import type { GatewayStatus, PipelineSnapshot } from "../../../edge/status/gateway-status.ts";
import { judgeStatus } from "../../../edge/status/judge.ts";

export const GIB = 1_073_741_824;
const nothing = { batches: 0, rows: 0, bytes: 0 };

/** What a healthy worker says. */
export const pipeline: PipelineSnapshot = {
  epoch: "7f0c3f0e-2f43-4a7e-9f42-1d5f3f2b9c11",
  buffer: {
    nextOffset: 1_000,
    decodedThrough: 999,
    deliveredThrough: 899,
    segments: 2,
    diskBytes: GIB,
    stateBytes: GIB,
    diskBytesMax: 4 * GIB,
    writtenBytes: 5_000,
    duplicates: 3,
    refused: 0,
    damages: [],
    outbox: { batches: 2, bytes: 20_480 },
    disk: {
      diskBytes: 2 * GIB,
      freeBytes: 0,
      spareRawBytes: 0,
      asideBytes: 0,
      roomUntilBytes: 3 * GIB,
      exhausted: false,
      whenFull: "shed",
      thinningMax: 16,
      thinnable: [],
    },
    derived: {
      readings: { rows: 4_000, pendingRows: 0, bytesPerRow: 8 },
      other: { rows: 72, pendingRows: 1, bytesPerRow: 100 },
    },
    derivedWrittenBytes: 40_000,
  },
  counters: {
    messages: 1_000,
    readings: 4_000,
    quarantined: 7,
    "quarantine.time.future": 7,
    predictions: 12,
  },
  features: {
    views: [{ name: "pump_health", hash: "ab".repeat(32), withheldDevices: 0 }],
    counters: { "features.pump_health.vectors": 60, "features.pump_health.late": 4 },
  },
  contracts: { openCount: 0, open: [], staleCount: 0 },
  inference: {
    slot: { state: "ready", model: { model: "pump_health", version: 3 }, viewHash: "ab".repeat(32) },
    counters: { "skipped.no_model": 1 },
    raisedAlerts: 1,
  },
  models: { desiredRevision: 4, refusal: undefined, refusedCount: 0, installedCount: 1 },
  sync: {
    lake: "reached",
    sealed: nothing,
    delivered: { batches: 9, rows: 3_000, bytes: 12_000 },
    pendingRows: 1,
    failedUploads: 0,
    divergedBatches: 0,
    lastError: undefined,
    lastDeliveredAtUs: 1_700_000_000_000_000,
  },
};

type Parts = Parameters<typeof judgeStatus>[0];

/** Rates of a gateway at which nothing happens, but for those that are given. */
export function ratesOf(changed: Partial<Parts["rates"]>): Parts["rates"] {
  return {
    readingsPerS: 0,
    bytesPerS: 0,
    otherRowsPerS: 0,
    deliveredBytesPerS: 0,
    storage: { bytesPerS: 0, from: "estimate" },
    ...changed,
  };
}

export const parts: Parts = {
  identity: { gateway: "site-1", softwareVersion: "0.1.0", uptimeS: 90, memoryBytes: 100 * 1_048_576 },
  pipeline,
  ingest: [
    {
      name: "embedded broker",
      address: "127.0.0.1:1883",
      connections: 1,
      received: 1_002,
      acknowledged: 1_000,
      receivedBytes: 2_048,
      refused: { "topic.reserved": 2 },
      problem: undefined,
    },
  ],
  online: { answered: 5, refused: 1, unanswerable: 0, misdirected: 0 },
  commit: { messages: 1_002, groups: 40, failedGroups: 0, refused: 0, waitingBytes: 0 },
  rates: ratesOf({
    readingsPerS: 12.34,
    deliveredBytesPerS: 2_048,
    storage: { bytesPerS: 1_024, from: "system" },
  }),
};

/** A status in which only the worker's part differs from a healthy one. */
export const statusWith = (changed: Partial<PipelineSnapshot>, rest: Partial<Parts> = {}): GatewayStatus =>
  judgeStatus({ ...parts, pipeline: { ...pipeline, ...changed }, ...rest });
