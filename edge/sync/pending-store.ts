import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";

/** Rows of one stream that are in no batch yet. */
export interface PendingRows {
  readonly rows: number;
  readonly bytes: number;
  /** When the oldest of them was stored; undefined where there are none. */
  readonly oldestAtUs: number | undefined;
}

/** The oldest pending rows of a stream as the chunks that they were stored in. */
export interface PendingChunks {
  readonly ids: readonly number[];
  readonly chunks: readonly Uint8Array[];
  /** The first and last offset that the chunks cover. */
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

/** A batch with its place in the lake, encoded. */
export interface SealedBatch {
  readonly stream: Stream;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly key: string;
  readonly sha256: string;
  readonly body: Uint8Array;
}

export interface OutboxBatch extends SealedBatch {
  readonly id: number;
}

/** A batch in the outbox, without its bytes. */
export interface WaitingBatch {
  readonly id: number;
  readonly stream: Stream;
  readonly to: number;
  readonly rows: number;
  readonly key: string;
  readonly bytes: number;
}

/** What sync needs of the buffer. All calls are made by the thread that writes the rows, and none of them waits. */
export interface PendingStore {
  readonly epoch: string;
  /** The last message offset whose rows are all stored; -1 before the first. */
  readonly decodedThrough: number;
  pending(stream: Stream): PendingRows;
  /**
   * Whole chunks, oldest first, up to `rowsMax` rows, but at least one chunk where there is any; only those before the
   * first one that was stored at a time that is not ready.
   */
  readPending(stream: Stream, rowsMax: number, isReady?: (storedAtUs: number) => boolean): PendingChunks;
  /** The last offset that is in a batch; -1 before the first. */
  sealedThrough(stream: Stream): number;
  /** In one transaction: the batch is in the outbox, its chunks are no longer pending, and the events are told. */
  seal(
    batch: SealedBatch,
    ids: readonly number[],
    told?: { readonly events: readonly NewEvent[]; readonly counters: Readonly<Record<string, number>> },
  ): void;
  /** Batches of the stream in the outbox, oldest first. */
  waitingBatches(limit: number, stream: Stream): readonly WaitingBatch[];
  /** The batch as it is now; from here on its bytes never change. Durable when it returns. */
  beginUpload(id: number): OutboxBatch | undefined;
  /** What the outbox holds. */
  outbox(): { readonly batches: number; readonly bytes: number };
  /**
   * The lake has the batch: the buffer may forget it. To be called in the order of the stream's batches, because all
   * before it counts as delivered. The note is kept with it; windows that are not past are not forgotten with it.
   */
  markDelivered(
    id: number,
    more?: { readonly note?: string; readonly isPast?: (device: string, toUs: number) => boolean },
  ): void;
  /** The note of the newest delivery. */
  deliveryNote(): string | undefined;
  /** Whether an event time of a device lies in, or so much around, a window that was called anomalous. */
  isKept(
    device: string,
    atUs: number,
    around: { readonly beforeUs: number; readonly afterUs: number },
  ): boolean;
}
