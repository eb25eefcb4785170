import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { Held } from "./gate.ts";

export interface Amount {
  readonly batches: number;
  readonly rows: number;
  readonly bytes: number;
}

export const NO_AMOUNT: Amount = { batches: 0, rows: 0, bytes: 0 };

export const plus = (
  sum: Amount,
  { rows, body }: { readonly rows: number; readonly body: Uint8Array },
): Amount => ({
  batches: sum.batches + 1,
  rows: sum.rows + rows,
  bytes: sum.bytes + body.byteLength,
});

export interface UplinkFailure {
  readonly code: string;
  readonly message: string;
  readonly atUs: number;
}

export interface UplinkStats {
  /** "away" while the newest upload failed. */
  readonly lake: "reached" | "away" | "unknown";
  /** Since the start. */
  readonly sealed: Amount;
  readonly delivered: Amount;
  /** Rows that are in no batch yet. */
  readonly pendingRows: number;
  /** Batches that the lake does not have yet. */
  readonly waiting: { readonly batches: number; readonly bytes: number };
  /** Why batches of some streams are not sent now, although the lake may be there; undefined where none are. */
  readonly held: (Held & { readonly streams: readonly Stream[] }) | undefined;
  /** Bytes that were sent on this day of UTC, what is under way included; and the most that may be. */
  readonly day: { readonly sentBytes: number; readonly bytesMax: number | undefined };
  readonly failedUploads: number;
  /** Batches whose key holds other bytes in the lake; they stay in the outbox. */
  readonly divergedBatches: number;
  readonly lastError: UplinkFailure | undefined;
  readonly lastDeliveredAtUs: number | undefined;
}
