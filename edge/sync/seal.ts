import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import { landingKey } from "@sluice/shared/contract/lake-key.ts";
import type { StreamRows } from "@sluice/shared/contract/rows.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { assert } from "@sluice/shared/runtime/assert.ts";
import type { PendingStore, SealedBatch } from "./pending-store.ts";
import { planRange } from "./plan.ts";

/** Makes the bytes of a landing object. */
export type EncodeBatch = <S extends Stream>(stream: S, chunks: readonly StreamRows[S][]) => Uint8Array;

export interface Sealing {
  readonly store: PendingStore;
  readonly gateway: string;
  readonly encode: EncodeBatch;
  readonly batchRowsMax: number;
}

/**
 * Makes one batch of the oldest pending rows of a stream and puts it into the outbox. There must be some.
 * From when it is to be sent its range and key never change, nor do its bytes; until then room may be wanted, and a power
 * cut may take it back: then its rows are pending as before.
 */
export function sealNext(stream: Stream, sealing: Sealing): SealedBatch {
  const { store, gateway, encode, batchRowsMax } = sealing;
  const all = store.pending(stream);
  const pending = store.readPending(stream, batchRowsMax);
  assert(pending.rows > 0, `${stream} has pending rows that can be read`);
  const sealedThrough = store.sealedThrough(stream);
  const isLast = pending.rows === all.rows;
  const { decodedThrough, epoch } = store;
  const { from, to } = planRange({ ...pending, stream, sealedThrough, decodedThrough, isLast });
  assert(from <= pending.from && pending.to <= to, `the batch ${from}-${to} of ${stream} covers its chunks`);
  const chunks = pending.chunks.map((chunk) => decodeChunk(stream, chunk));
  const body = encode(stream, chunks);
  const key = landingKey({ stream, gateway, epoch, from, to });
  const batch = { stream, from, to, rows: pending.rows, key, sha256: sha256Hex(body), body };
  store.seal(batch, pending.ids);
  return batch;
}
