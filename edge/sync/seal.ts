import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import { landingKey } from "@sluice/shared/contract/lake-key.ts";
import type { StreamRows } from "@sluice/shared/contract/rows.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { assert } from "@sluice/shared/runtime/assert.ts";
import type { PendingChunks, PendingStore, SealedBatch } from "./pending-store.ts";
import { planRange } from "./plan.ts";
import { type ReadingChooser, tellLeftOut } from "./reading-policy.ts";
import type { ReadingPolicy } from "./settings.ts";

/** Makes the bytes of a landing object. */
export type EncodeBatch = <S extends Stream>(stream: S, chunks: readonly StreamRows[S][]) => Uint8Array;

export interface Sealing {
  readonly store: PendingStore;
  readonly gateway: string;
  readonly encode: EncodeBatch;
  readonly batchRowsMax: number;
  /** Which readings are sent; left out, all of them. */
  readonly choice?: Choice;
}

export interface Choice {
  readonly policy: ReadingPolicy;
  readonly chooser: ReadingChooser;
  /** Whether readings that were stored at a time need not wait any more for an anomaly that claims them. */
  readonly isReady: (storedAtUs: number) => boolean;
  readonly nowUs: number;
}

/**
 * Makes one batch of the oldest pending rows of a stream and puts it into the outbox; of readings, those that are to be
 * sent, and an event tells of the others in the same transaction. There must be some; undefined where none are ready.
 *
 * From when it is to be sent its range and key never change, nor do its bytes; until then room may be wanted, and a power
 * cut may take it back: then its rows are pending as before.
 */
export function sealNext(stream: Stream, sealing: Sealing): SealedBatch | undefined {
  const { store, batchRowsMax, choice } = sealing;
  const all = store.pending(stream);
  const pending =
    stream === "readings"
      ? store.readPending(stream, batchRowsMax, choice?.isReady)
      : store.readPending(stream, batchRowsMax);
  if (stream === "readings" && pending.rows === 0 && all.rows > 0) return undefined;
  assert(pending.rows > 0, `${stream} has pending rows that can be read`);
  const sealedThrough = store.sealedThrough(stream);
  const isLast = pending.rows === all.rows;
  const { from, to } = planRange({
    ...pending,
    stream,
    sealedThrough,
    decodedThrough: store.decodedThrough,
    isLast,
  });
  assert(from <= pending.from && pending.to <= to, `the batch ${from}-${to} of ${stream} covers its chunks`);
  return stream === "readings" && choice !== undefined
    ? sealReadings({ pending, from, to }, sealing, choice)
    : sealRows(stream, { pending, from, to }, sealing);
}

interface Planned {
  readonly pending: PendingChunks;
  readonly from: number;
  readonly to: number;
}

function sealRows(stream: Stream, planned: Planned, sealing: Sealing): SealedBatch {
  const chunks = planned.pending.chunks.map((chunk) => decodeChunk(stream, chunk));
  const batch = batchOf(stream, planned, { chunks, rows: planned.pending.rows, sealing });
  sealing.store.seal(batch, planned.pending.ids);
  return batch;
}

function sealReadings(planned: Planned, sealing: Sealing, choice: Choice): SealedBatch {
  const { store } = sealing;
  const { chooser, policy, nowUs } = choice;
  const all = planned.pending.chunks.map((chunk) => decodeChunk("readings", chunk));
  const { blocks, leftOut, remember } = chooser.choose(all);
  const rows = planned.pending.rows - (leftOut?.count ?? 0);
  const batch = batchOf("readings", planned, { chunks: blocks, rows, sealing });
  if (leftOut === undefined) store.seal(batch, planned.pending.ids);
  else
    store.seal(batch, planned.pending.ids, {
      events: [tellLeftOut(leftOut, batch, policy, nowUs)],
      counters: { "shed.readings.policy": leftOut.count },
    });
  remember();
  return batch;
}

function batchOf<S extends Stream>(
  stream: S,
  { from, to }: Planned,
  content: {
    readonly chunks: readonly StreamRows[S][];
    readonly rows: number;
    readonly sealing: Sealing;
  },
): SealedBatch {
  const { gateway, encode, store } = content.sealing;
  const body = encode(stream, content.chunks);
  const key = landingKey({ stream, gateway, epoch: store.epoch, from, to });
  return { stream, from, to, rows: content.rows, key, sha256: sha256Hex(body), body };
}
