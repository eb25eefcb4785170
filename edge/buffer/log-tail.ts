import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { GroupStamp } from "@sluice/shared/contract/message.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Bodies } from "./body.ts";
import { lookThrough } from "./group-scan.ts";
import type { TailCounts, TailLimits } from "./log-notices.ts";
import { decodeGroup, encodeGroup } from "./message-group.ts";
import type { OffsetReserve } from "./offset-reserve.ts";
import { Segment, type StoredGroup } from "./segment.ts";
import { setAside, sqliteError } from "./sqlite-file.ts";
import type { StoredMessages } from "./stored-messages.ts";

/** A segment that is damaged and is written to no more. */
export interface RetiredSegment {
  readonly segment: Segment;
  /** Where it is now: set aside, where nothing is in it. */
  readonly file: string;
  readonly isEmpty: boolean;
  readonly reason: string;
}

export interface LogTailOptions {
  readonly dir: string;
  readonly limits: TailLimits;
  readonly bootId: string;
  readonly clock: Clock;
  readonly bodies: Bodies;
  /** Whether so many bytes more are within the disk budget. */
  readonly hasRoom: (bytes: number) => boolean;
  /** Messages go into `newest` from now on; `full` is whole and synced, and its owner is to let it rest. */
  readonly changed: (newest: Segment, full: Segment | undefined) => void;
  readonly retired: (retired: RetiredSegment) => void;
}

/** From where on messages are appended. */
export interface TailState {
  readonly newest: Segment;
  readonly nextOffset: number;
  readonly stored: StoredMessages;
  readonly reserve: OffsetReserve;
}

/** What became of a group: its new messages have the offsets [first, first + count). */
export interface AppendedGroup {
  readonly first: number;
  readonly count: number;
  readonly duplicates: number;
  /** As it was stored, without the duplicates; undefined where nothing of it is new. */
  readonly stored: { readonly bytes: Uint8Array; readonly stamp: GroupStamp } | undefined;
}

export const segmentName = (offset: number): string => `segment-${String(offset).padStart(16, "0")}.db`;

/**
 * The end of the log, where groups are appended: gives offsets, leaves redeliveries out, begins new segments.
 *
 * Nothing else writes to the newest segment, and nothing waits for it but what it appends: it may run in a thread of its
 * own.
 */
export class LogTail {
  readonly #options: LogTailOptions;
  readonly #stored: StoredMessages;
  readonly #reserve: OffsetReserve;
  #newest: Segment;
  #nextOffset: number;
  #counts: TailCounts = { duplicates: 0, refused: 0, writtenBytes: 0 };
  /** Where an empty segment is that was made ahead. */
  #spare: string | undefined;

  constructor(options: LogTailOptions, { newest, nextOffset, stored, reserve }: TailState) {
    this.#options = options;
    this.#newest = newest;
    this.#nextOffset = nextOffset;
    this.#stored = stored;
    this.#reserve = reserve;
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  get counts(): TailCounts {
    return this.#counts;
  }

  /**
   * Stores a group that `GroupWriter` made; durable when it returns.
   *
   * Throws PipelineError "buffer.full" at the disk budget, "buffer.disk_full", "buffer.group_damaged"; then nothing of
   * the group is stored.
   */
  append(group: Uint8Array): AppendedGroup {
    const first = this.#nextOffset;
    const { count, bytes, duplicates } = this.#withoutDuplicates(group);
    const stored =
      count === 0 ? undefined : { bytes, stamp: this.#orRefused({ first, count, bytes }, duplicates) };
    if (stored !== undefined) {
      this.#nextOffset += count;
      this.#stored.rememberGroup(bytes);
    }
    this.#count({ duplicates, writtenBytes: count === 0 ? 0 : bytes.length });
    return { first, count, duplicates, stored };
  }

  #orRefused(group: StoredGroup, duplicates: number): GroupStamp {
    try {
      return this.#store(group);
    } catch (error) {
      this.#count({ refused: group.count + duplicates });
      throw error;
    }
  }

  #count(more: Partial<TailCounts>): void {
    const { duplicates, refused, writtenBytes } = this.#counts;
    this.#counts = {
      duplicates: duplicates + (more.duplicates ?? 0),
      refused: refused + (more.refused ?? 0),
      writtenBytes: writtenBytes + (more.writtenBytes ?? 0),
    };
  }

  #withoutDuplicates(group: Uint8Array): { count: number; bytes: Uint8Array; duplicates: number } {
    const { count, hasRepeats } = lookThrough(group);
    if (!hasRepeats) return { count, bytes: group, duplicates: 0 };
    const kept = this.#stored.without(decodeGroup(group));
    const bytes = kept.length === count ? group : encodeGroup(kept);
    return { count: kept.length, bytes, duplicates: count - kept.length };
  }
  #store(group: StoredGroup): GroupStamp {
    const { bootId, clock, hasRoom } = this.#options;
    const { diskBytesMax, segmentBytesMax } = this.#options.limits;
    if (!hasRoom(group.bytes.length))
      throw new PipelineError("buffer.full", `the buffer has reached its budget of ${diskBytesMax} bytes`, {
        hint: "It empties when the lake can be reached; raise buffer.diskBytesMax where the disk has room.",
      });
    const stamp = { bootId, monotonicUs: clock.monotonicUs(), wallUs: clock.nowUs() };
    if (this.#newest.bytes > 0 && this.#newest.bytes + group.bytes.length > segmentBytesMax) this.rotate();
    this.#reserve.reserve(group.first + group.count);
    try {
      this.#newest.append(group, stamp); // Durable from here: SQLite has synced to disk.
    } catch (error) {
      if (!(error instanceof PipelineError) || error.code !== "buffer.damaged") throw error;
      this.#retire(error);
      this.#newest.append(group, stamp);
    }
    return stamp;
  }

  /** Takes the newest segment out of use for writing; what is whole in it can still be read. */
  #retire(error: PipelineError): void {
    const segment = this.#newest;
    segment.rest();
    const isEmpty = segment.endOffset === segment.firstOffset;
    const file = isEmpty ? setAside(segment.path) : segment.path; // Its name is wanted for the next one.
    this.#options.retired({ segment, file, isEmpty, reason: describeError(error) });
    this.#begin(undefined);
  }

  /** Begins a new segment. */
  rotate(): void {
    this.#begin(this.#newest);
  }

  #begin(full: Segment | undefined): void {
    const { dir, bodies, changed } = this.#options;
    const path = join(dir, segmentName(this.#nextOffset));
    const spare = this.#spare;
    this.#spare = undefined;
    try {
      if (spare !== undefined) renameSync(spare, path); // Opening it syncs the folder, and its new name with it.
    } catch (cause) {
      throw sqliteError(cause, `cannot make ${path}`);
    }
    this.#newest = new Segment(path, this.#nextOffset, bodies);
    changed(this.#newest, full);
  }

  /** An empty segment to go on in, so that it need not be made while a group waits for it. */
  takeSpare(path: string): void {
    if (this.#spare === undefined) this.#spare = path;
    else rmSync(path, { force: true }); // Two segments were begun before the first spare for them came.
  }

  /** Offsets are reserved while nothing waits for them. */
  async reserveAhead(): Promise<void> {
    await this.#reserve.ahead(this.#nextOffset);
  }

  close(): void {
    this.#newest.rest();
    this.#reserve.close(this.#nextOffset);
  }
}
