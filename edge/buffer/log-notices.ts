import type { GroupStamp } from "@sluice/shared/contract/message.ts";
import type { FilterState } from "./redelivery-filter.ts";

/** How large a segment, and all of the buffer, may become. */
export interface TailLimits {
  readonly segmentBytesMax: number;
  readonly diskBytesMax: number;
}

/** What is counted where groups are appended, since the log was opened. */
export interface TailCounts {
  readonly duplicates: number;
  readonly refused: number;
  readonly writtenBytes: number;
}

/** What a thread needs to append to the log from where it is. */
export interface TailStart {
  /** The segment that is written to: its file is there, and nobody has it open. */
  readonly newestOffset: number;
  readonly nextOffset: number;
  readonly filter: FilterState;
  readonly room: RoomNotice;
  /** The folder of the segments. */
  readonly dir: string;
  readonly limits: TailLimits & { readonly redeliveryEntriesMax: number };
}

/** What the log learns of its end, in order, where another thread appends. */
export type LogNotice =
  | {
      readonly kind: "stored";
      readonly first: number;
      readonly count: number;
      readonly stamp: GroupStamp;
      /** The group as it was stored; left out where too much is on its way already: it is read from the disk. */
      readonly group: ArrayBuffer | undefined;
    }
  | { readonly kind: "counted"; readonly counts: TailCounts }
  /** Messages go into the segment that begins at `newestOffset`; the one before is full, or was retired. */
  | {
      readonly kind: "changed";
      readonly newestOffset: number;
      readonly fullOffset: number | undefined;
    }
  | {
      readonly kind: "retired";
      readonly offset: number;
      readonly file: string;
      readonly isEmpty: boolean;
      readonly reason: string;
    }
  /** The thread has a full segment open no more. */
  | { readonly kind: "released"; readonly offset: number };

/** What the thread that appends must know of the rest of the buffer. */
export interface RoomNotice {
  /** Bytes of everything but the segments from `belowOffset` on. */
  readonly usedBytes: number;
  readonly belowOffset: number;
}
