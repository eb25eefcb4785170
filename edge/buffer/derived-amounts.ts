import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { SealedBatch } from "./outbox.ts";
import type { AppendedRows } from "./pending.ts";

/** How much of a kind was derived since the start, and what a row of it weighs in a batch. */
export interface DerivedAmount {
  readonly rows: number;
  readonly pendingRows: number;
  readonly bytesPerRow: number;
}

/** Readings, of which there are most and which can be thinned out, and everything else. */
export interface Derived {
  readonly readings: DerivedAmount;
  readonly other: DerivedAmount;
}

/** Pages of marks, counters and indexes that a commit writes: five of 4 KiB, as measured. */
const COMMIT_BYTES = 20_480;

/** What rows weigh until a batch was made: readings of many series, and vectors with predictions beside them. */
const READING_BYTES = 12;
const OTHER_BYTES = 120;

interface Sums {
  rows: number;
  sealedRows: number;
  sealedBytes: number;
}

/** Counts rows on their way through the buffer: for forecasts of how long the disk lasts. In memory, since the start. */
export class DerivedAmounts {
  readonly #readings: Sums = { rows: 0, sealedRows: 0, sealedBytes: 0 };
  readonly #other: Sums = { rows: 0, sealedRows: 0, sealedBytes: 0 };
  /** Bytes of chunks and batches that were written, and of the pages that every commit writes besides. */
  #writtenBytes = 0;

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  appended(rows: readonly AppendedRows[]): void {
    this.#writtenBytes += COMMIT_BYTES;
    for (const { stream, rows: count, chunk } of rows) {
      this.#of(stream).rows += count;
      this.#writtenBytes += chunk.length;
    }
  }

  sealed({ stream, rows, body }: SealedBatch): void {
    const sums = this.#of(stream);
    sums.sealedRows += rows;
    sums.sealedBytes += body.length;
    this.#writtenBytes += body.length;
  }

  amounts(pendingRows: { readonly readings: number; readonly other: number }): Derived {
    return {
      readings: amount(this.#readings, pendingRows.readings, READING_BYTES),
      other: amount(this.#other, pendingRows.other, OTHER_BYTES),
    };
  }

  #of(stream: Stream): Sums {
    return stream === "readings" ? this.#readings : this.#other;
  }
}

const amount = (sums: Sums, pendingRows: number, otherwise: number): DerivedAmount => ({
  rows: sums.rows,
  pendingRows,
  bytesPerRow: sums.sealedRows === 0 ? otherwise : sums.sealedBytes / sums.sealedRows,
});
