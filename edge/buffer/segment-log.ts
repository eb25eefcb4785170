import { join } from "node:path";
import type { RawMessage } from "@sluice/shared/contract/message.ts";
import { present } from "@sluice/shared/runtime/assert.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { Bodies } from "./body.ts";
import { type Damage, DamageReport } from "./damage.ts";
import type { LogNotice, RoomNotice, TailCounts, TailLimits, TailStart } from "./log-notices.ts";
import { type AppendedGroup, LogTail } from "./log-tail.ts";
import { decodeGroup } from "./message-group.ts";
import { OffsetReserve } from "./offset-reserve.ts";
import { type RecentGroup, RecentGroups } from "./recent-groups.ts";
import { type ReadGroup, SegmentFiles } from "./segment-files.ts";
import { spareSegments } from "./spare-segments.ts";
import { makeFolder } from "./sqlite-file.ts";
import { StoredMessages } from "./stored-messages.ts";

export interface SegmentLogOptions {
  readonly dir: string;
  readonly limits: {
    readonly segmentBytesMax: number;
    readonly diskBytesMax: number;
    readonly redeliveryEntriesMax: number;
  };
  /** The first offset that nothing was derived from yet: new offsets begin here at the least. */
  readonly floorOffset: number;
  /** Changes with each start of the process: what makes monotonic stamps comparable. */
  readonly bootId: string;
  /** Bytes that the rest of the buffer takes of the disk budget. */
  readonly otherBytes: () => number;
  readonly clock: Clock;
  readonly log: Log;
  /** How bodies are written; plain, where nothing is said. */
  readonly bodies?: Bodies;
  /** Hears of each damage once, when it is found. */
  readonly damaged?: (damage: Damage) => void;
}

/** Segments that the disk budget holds at the least: the newest is never removed, so it must not fill the budget. */
const BUDGET_SEGMENTS_MIN = 8;

/** Share of the disk budget that the newest messages keep although they could go: the redeliveries are found by them. */
const NEWEST_SHARE = 1 / 8;

/**
 * The raw messages of a gateway: an append-only log of groups in segment files, the durability boundary.
 *
 * `append` returns when the group is synced. Offsets only grow and none is given twice, whatever is damaged. Damage is
 * contained: a group that is not whole is passed over, a file that is not whole is read as far as it can be and written
 * to no more, one that cannot be opened is set aside under another name; each is reported, and the log goes on in a new
 * file. Delivered segments are removed whole, damaged ones set aside. A redelivery of a stored
 * message is recognised and not stored again.
 */
export class SegmentLog {
  readonly #options: SegmentLogOptions;
  readonly #bodies: Bodies;
  readonly #files: SegmentFiles;
  #nextOffset = 0;
  readonly #stored: StoredMessages;
  /** Where groups are appended; undefined where another thread does that, and before the log is open. */
  #tail: LogTail | undefined;
  readonly #damages: DamageReport;
  #counts: TailCounts = { duplicates: 0, refused: 0, writtenBytes: 0 };
  /** The group that was read last, decoded: sequential reading decodes each group once. */
  readonly #recent = new RecentGroups();
  #read: ReadGroup | undefined;

  private constructor(options: SegmentLogOptions) {
    this.#options = options;
    this.#damages = new DamageReport(options.log, options.damaged);
    this.#bodies = options.bodies ?? new Bodies();
    makeFolder(options.dir);
    this.#files = new SegmentFiles({ dir: options.dir, bodies: this.#bodies, damages: this.#damages });
    this.#stored = new StoredMessages(options.limits.redeliveryEntriesMax);
  }

  /** Opens or makes the log. Throws PipelineError "buffer.unwritable", "buffer.disk_full". */
  static open(options: SegmentLogOptions): SegmentLog {
    const log = new SegmentLog(options);
    const isWhole = log.#files.open();
    let end = log.#files.all[0]?.firstOffset ?? options.floorOffset;
    for (const segment of log.#files.all) {
      log.#damages.addMissing(segment.path, end, segment.firstOffset);
      // A group at or behind the next segment's first offset was refused: SQLite had written it before it failed.
      end = segment.endOffset;
    }
    const reserve = new OffsetReserve(join(options.dir, "offsets"));
    // How far a newest file went that is damaged, or gone, only the reserve knows.
    log.#nextOffset = Math.max(options.floorOffset, end, isWhole ? 0 : reserve.end);
    log.#damages.addMissing(options.dir, end, log.#nextOffset);
    // So that a gap is always between two files.
    if (!isWhole || end < log.#nextOffset) log.#files.begin(log.#nextOffset);
    log.#stored.recall(log.#nextOffset, (from, limit) => log.read(from, limit));
    log.#tail = log.#startTail(reserve);
    return log;
  }

  #startTail(reserve: OffsetReserve): LogTail {
    const { dir, bootId, clock } = this.#options;
    return new LogTail(
      {
        dir,
        limits: tailLimits(this.#options.limits),
        bootId,
        clock,
        bodies: this.#bodies,
        hasRoom: (bytes) => this.hasRoom(bytes),
        changed: (newest, full) => {
          full?.rest();
          this.#files.add(newest);
        },
        retired: (retired) => this.#files.retire(retired),
      },
      { newest: this.#files.newest, nextOffset: this.#nextOffset, stored: this.#stored, reserve },
    );
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Appends a group as `LogTail` does, where no other thread does that; durable when it returns. */
  append(group: Uint8Array): Pick<AppendedGroup, "count" | "duplicates"> & { readonly fromOffset: number } {
    const tail = present(this.#tail, "nobody else appends to the log");
    try {
      const { first, count, duplicates, stored } = tail.append(group);
      if (stored !== undefined) this.#add({ first, count, ...stored });
      return { fromOffset: first, count, duplicates };
    } finally {
      this.#counts = tail.counts;
    }
  }

  #add(group: RecentGroup): void {
    this.#nextOffset = group.first + group.count;
    this.#recent.add(group);
  }

  /** Lets another thread append from now on, from where the log is; it tells by notices what it does. */
  handOver(): TailStart {
    const { newest } = this.#files;
    this.#files.handOver();
    this.#tail = undefined;
    const filter = this.#stored.state();
    this.#stored.forget();
    return {
      newestOffset: newest.firstOffset,
      nextOffset: this.#nextOffset,
      filter,
      room: this.room(),
      dir: this.#options.dir,
      limits: { ...this.#options.limits, ...tailLimits(this.#options.limits) },
    };
  }

  /** Makes an empty segment for whoever appends; undefined where that fails. */
  makeSpare(): Promise<string | undefined> {
    return this.#files.makeSpare();
  }

  /** Takes what the other thread tells. Returns the full segment that it must let go, where there is one. */
  follow(notice: LogNotice): number | undefined {
    switch (notice.kind) {
      case "stored": {
        const { first, count, stamp, group } = notice;
        this.#files.newest.grew(first + count);
        if (group === undefined) this.#nextOffset = first + count;
        else this.#add({ first, count, stamp, bytes: new Uint8Array(group), isOurs: true });
        return undefined;
      }
      case "counted":
        this.#counts = notice.counts;
        return undefined;
      case "changed": {
        const full = notice.fullOffset === undefined ? undefined : this.#files.hold();
        this.#files.begin(notice.newestOffset);
        return full?.firstOffset;
      }
      case "retired":
        this.#files.retire({ ...notice, segment: this.#files.newest });
        return undefined;
      case "released":
        this.#files.release(notice.offset);
    }
    return undefined;
  }

  /** What takes of the budget, for whom only knows of the segments that it writes to. */
  room(): RoomNotice {
    const { newest } = this.#files;
    const usedBytes = this.diskBytes - newest.diskBytes() + this.asideBytes + this.#options.otherBytes();
    return { usedBytes, belowOffset: newest.firstOffset };
  }

  /** Whether so many bytes more are within the disk budget. */
  hasRoom(bytes: number): boolean {
    const { limits, otherBytes } = this.#options;
    return this.diskBytes + this.asideBytes + otherBytes() + bytes <= limits.diskBytesMax;
  }

  /** Messages from `fromOffset` on, at most so many and about so many bytes; damaged groups are passed over. */
  read(fromOffset: number, limit: { readonly messages: number; readonly bytes: number }): RawMessage[] {
    const found: RawMessage[] = [];
    let bytes = 0;
    for (
      let offset = fromOffset;
      offset < this.#nextOffset && found.length < limit.messages && bytes < limit.bytes;
    ) {
      const group = this.#groupAt(offset);
      if (group === undefined) break;
      offset = Math.max(offset, group.first);
      for (const message of group.messages.slice(offset - group.first)) {
        if (found.length === limit.messages || bytes >= limit.bytes) break;
        found.push({ ...message, offset: offset++, stamp: group.stamp });
        bytes += message.payload.length + message.topic.length;
      }
    }
    return found;
  }

  /** Everything through `throughOffset` is worked off: no message that was read of it may be looked at from here on. */
  release(throughOffset: number): void {
    const last = this.#read;
    if (last !== undefined && last.first + last.messages.length - 1 <= throughOffset) this.#read = undefined;
    this.#recent.release(throughOffset);
  }

  /** The decoded group that holds `offset` or, where that is lost, the next one. */
  #groupAt(offset: number): ReadGroup | undefined {
    const last = this.#read;
    if (last !== undefined && offset >= last.first && offset < last.first + last.messages.length) return last;
    const recent = this.#recent.take(offset);
    if (recent !== undefined) {
      const { first, stamp, bytes } = recent;
      return (this.#read = { first, stamp, messages: decodeGroup(bytes) });
    }
    const found = this.#files.groupAt(offset);
    if (found !== undefined) this.#read = found;
    return found;
  }

  /** Removes the segments whose every message is at or before `throughOffset`. */
  prune(throughOffset: number): void {
    this.#files.prune(throughOffset);
  }

  /**
   * What `prune` may remove when room is wanted and everything up to `throughOffset` is on disk elsewhere. Messages that
   * a restart needs to recognise what comes again stay, as far as they take no more than their share: those of the
   * redelivery filter, and those from `neededFromOffset` on.
   */
  spare(
    throughOffset: number,
    neededFromOffset = Infinity,
  ): { readonly bytes: number; readonly throughOffset: number } {
    const { redeliveryEntriesMax, diskBytesMax } = this.#options.limits;
    const spare = spareSegments(this.#files.all, {
      throughOffset,
      newestFromOffset: Math.min(this.#nextOffset - redeliveryEntriesMax, neededFromOffset),
      newestBytesMax: diskBytesMax * NEWEST_SHARE,
    });
    const bytes = spare.reduce((sum, segment) => sum + segment.diskBytes(), 0);
    return { bytes, throughOffset: (spare.at(-1)?.endOffset ?? 0) - 1 };
  }

  stats(): {
    readonly segments: number;
    readonly diskBytes: number;
    readonly writtenBytes: number;
    readonly nextOffset: number;
    readonly duplicates: number;
    readonly refused: number;
    readonly damages: readonly Damage[];
    /** Damages that are counted and no longer named. */
    readonly damagesOverCount: number;
  } {
    return {
      segments: this.#files.all.length,
      diskBytes: this.diskBytes,
      nextOffset: this.#nextOffset,
      ...this.#counts,
      damagesOverCount: this.#damages.overCount,
      damages: this.#damages.damages,
    };
  }

  close(): void {
    this.#tail?.close();
    this.#files.close();
  }

  get diskBytes(): number {
    return this.#files.diskBytes;
  }

  /** Bytes of segments that were set aside as damaged. */
  get asideBytes(): number {
    return this.#files.asideBytes;
  }
}

/** What bounds a segment, of the settings. */
const tailLimits = (limits: SegmentLogOptions["limits"]): TailLimits => ({
  diskBytesMax: limits.diskBytesMax,
  segmentBytesMax: Math.min(limits.segmentBytesMax, limits.diskBytesMax / BUDGET_SEGMENTS_MIN),
});
