import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { GroupStamp, RawMessage } from "@sluice/shared/contract/message.ts";
import { present } from "@sluice/shared/runtime/assert.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { Bodies } from "./body.ts";
import { type Damage, DamageReport } from "./damage.ts";
import { asideBytes } from "./file-space.ts";
import { decodeGroup, encodeGroup } from "./message-group.ts";
import { OffsetReserve } from "./offset-reserve.ts";
import { RecentGroups } from "./recent-groups.ts";
import { mendSegment, openSegment } from "./segment-opening.ts";
import { type GroupRange, Segment, type StampedMessages, type StoredGroup } from "./segment.ts";
import { spareSegments } from "./spare-segments.ts";
import { makeFolder, setAside, syncFolder } from "./sqlite-file.ts";
import { finishRepairs } from "./tools/salvage.ts";
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

const SEGMENT_NAME = /^segment-(\d{16})\.db$/;

/** Segments that the disk budget holds at the least: the newest is never removed, so it must not fill the budget. */
const BUDGET_SEGMENTS_MIN = 8;

/** Share of the disk budget that the newest messages keep although they could go: the redeliveries are found by them. */
const NEWEST_SHARE = 1 / 8;

/** Failures that do not pass: reading goes on behind them. */
const DAMAGE: ReadonlySet<string> = new Set(["buffer.damaged", "buffer.group_damaged"]);

const segmentName = (offset: number): string => `segment-${String(offset).padStart(16, "0")}.db`;

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
  readonly #reserve: OffsetReserve;
  #segments: Segment[] = [];
  /** Segments with damage: never written to, never deleted. */
  readonly #damaged = new Set<Segment>();
  /** Segments that hold what was saved of a damaged one, which is set aside. */
  readonly #mended = new Set<Segment>();
  /** The segment that was read last; the others rest. */
  #reading: Segment | undefined;
  #nextOffset: number;
  readonly #stored: StoredMessages;
  readonly #damages: DamageReport;
  #duplicates = 0;
  #refused = 0;
  #writtenBytes = 0;
  #asideBytes = 0;
  /** The group that was read last, decoded: sequential reading decodes each group once. */
  readonly #recent = new RecentGroups();
  #read: (StampedMessages & { readonly first: number }) | undefined;

  private constructor(options: SegmentLogOptions) {
    this.#options = options;
    this.#damages = new DamageReport(options.log, options.damaged);
    this.#bodies = options.bodies ?? new Bodies();
    makeFolder(options.dir);
    this.#reserve = new OffsetReserve(join(options.dir, "offsets"));
    this.#nextOffset = options.floorOffset;
    this.#stored = new StoredMessages(options.limits.redeliveryEntriesMax);
  }

  /** Opens or makes the log. Throws PipelineError "buffer.unwritable", "buffer.disk_full". */
  static open(options: SegmentLogOptions): SegmentLog {
    const log = new SegmentLog(options);
    const isWhole = log.#openSegments();
    let end = log.#segments[0]?.firstOffset ?? options.floorOffset;
    for (const segment of log.#segments) {
      log.#damages.addMissing(segment.path, end, segment.firstOffset);
      // A group at or behind the next segment's first offset was refused: SQLite had written it before it failed.
      end = segment.endOffset;
    }
    // How far a newest file went that is damaged, or gone, only the reserve knows.
    log.#nextOffset = Math.max(options.floorOffset, end, isWhole ? 0 : log.#reserve.end);
    log.#damages.addMissing(options.dir, end, log.#nextOffset);
    // So that a gap is always between two files.
    if (!isWhole || end < log.#nextOffset) log.#rotate();
    log.#stored.recall(log.#nextOffset, (from, limit) => log.read(from, limit));
    log.#asideBytes = asideBytes(options.dir);
    return log;
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /**
   * Stores a group that `GroupWriter` made; durable when it returns.
   *
   * Throws PipelineError "buffer.full" at the disk budget, "buffer.disk_full", "buffer.group_damaged"; then nothing of
   * the group is stored.
   */
  append(group: Uint8Array): {
    readonly fromOffset: number;
    readonly count: number;
    readonly duplicates: number;
  } {
    const messages = decodeGroup(group);
    const fromOffset = this.#nextOffset;
    const kept = this.#stored.without(messages);
    const duplicates = messages.length - kept.length;
    if (kept.length > 0) {
      try {
        const bytes = duplicates === 0 ? group : encodeGroup(kept);
        const stamp = this.#store({ first: fromOffset, count: kept.length, bytes });
        this.#recent.add({ first: fromOffset, messages: kept, stamp }, bytes.length);
      } catch (error) {
        this.#refused += messages.length;
        throw error;
      }
      this.#nextOffset += kept.length;
      this.#stored.remember(kept);
    }
    this.#duplicates += duplicates;
    return { fromOffset, count: kept.length, duplicates };
  }

  /** Whether so many bytes more are within the disk budget. */
  hasRoom(bytes: number): boolean {
    const { limits, otherBytes } = this.#options;
    return this.diskBytes + this.#asideBytes + otherBytes() + bytes <= limits.diskBytesMax;
  }

  #store(group: StoredGroup): GroupStamp {
    const { limits, bootId, clock } = this.#options;
    if (!this.hasRoom(group.bytes.length))
      throw new PipelineError(
        "buffer.full",
        `the buffer has reached its budget of ${limits.diskBytesMax} bytes`,
        {
          hint: "It empties when the lake can be reached; raise buffer.diskBytesMax where the disk has room.",
        },
      );
    const stamp = { bootId, monotonicUs: clock.monotonicUs(), wallUs: clock.nowUs() };
    const segmentBytesMax = Math.min(limits.segmentBytesMax, limits.diskBytesMax / BUDGET_SEGMENTS_MIN);
    if (this.#newest().bytes > 0 && this.#newest().bytes + group.bytes.length > segmentBytesMax)
      this.#rotate();
    this.#reserve.reserve(group.first + group.count);
    try {
      this.#newest().append(group, stamp); // Durable from here: SQLite has synced to disk.
    } catch (error) {
      if (!(error instanceof PipelineError) || error.code !== "buffer.damaged") throw error;
      this.#retire(this.#newest(), error);
      this.#rotate();
      this.#newest().append(group, stamp);
    }
    this.#writtenBytes += group.bytes.length;
    return stamp;
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

  /** The decoded group that holds `offset` or, where that is lost, the next one. */
  #groupAt(offset: number): (StampedMessages & { readonly first: number }) | undefined {
    const last = this.#read;
    if (last !== undefined && offset >= last.first && offset < last.first + last.messages.length) return last;
    const recent = this.#recent.take(offset);
    if (recent !== undefined) return (this.#read = recent);
    for (const segment of this.#segments.slice(this.#segmentIndex(offset))) {
      this.#use(segment);
      for (let wanted = Math.max(offset, segment.firstOffset); wanted < segment.endOffset;) {
        const range = this.#orDamaged(segment, { first: wanted, end: segment.endOffset }, () =>
          segment.find(wanted),
        );
        const next = range?.first ?? segment.endOffset;
        if (next > wanted && this.#mend(segment, new PipelineError("buffer.damaged", "groups are missing")))
          continue; // A file has gaps only where it was mended.
        this.#damages.addMissing(segment.path, wanted, next);
        if (range === undefined) break;
        const group = this.#messagesOf(segment, range);
        if (group !== undefined) return (this.#read = { first: range.first, ...group });
        wanted = range.first + range.count;
      }
    }
    return undefined;
  }

  #messagesOf(segment: Segment, range: GroupRange): StampedMessages | undefined {
    return this.#orDamaged(segment, { first: range.first, end: range.first + range.count }, () =>
      segment.read(range),
    );
  }

  /** What is read, or undefined where it is damaged, which is reported. Any other failure is thrown: it may pass. */
  #orDamaged<T>(segment: Segment, at: { first: number; end: number }, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof PipelineError) || !DAMAGE.has(error.code)) throw error;
      if (this.#mend(segment, error)) return this.#orDamaged(segment, at, read);
      this.#damages.add({
        file: segment.path,
        fromOffset: at.first,
        endOffset: at.end,
        reason: describeError(error),
      });
      return undefined;
    }
  }

  /** Mends a segment that turned out to be damaged, once; whether it is worth to look again. Throws "buffer.disk_full". */
  #mend(segment: Segment, error: PipelineError): boolean {
    if (this.#mended.has(segment)) return false;
    if (segment === this.#newest()) this.#damaged.add(segment);
    segment.rest();
    const { path, firstOffset, endOffset } = segment;
    const { damages } = mendSegment({ path, firstOffset, endOffset, bodies: this.#bodies }, error);
    this.#mended.add(segment);
    for (const damage of damages) this.#damages.add(damage);
    this.#asideBytes = asideBytes(this.#options.dir);
    return true;
  }

  /** Closes the segment that was read before, unless it is still written to. */
  #use(segment: Segment): void {
    if (this.#reading !== segment && this.#reading !== this.#newest()) this.#reading?.rest();
    this.#reading = segment;
  }

  /** The segment in which to look for `offset`: the last one that begins at or before it. */
  #segmentIndex(offset: number): number {
    return Math.max(
      0,
      this.#segments.findLastIndex((segment) => segment.firstOffset <= offset),
    );
  }

  /** Removes the segments whose every message is at or before `throughOffset`. */
  prune(throughOffset: number): void {
    let removed = false;
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || next === undefined || next.firstOffset > throughOffset + 1) break;
      oldest.rest();
      if (this.#damaged.delete(oldest)) setAside(oldest.path);
      else for (const suffix of ["", "-wal", "-shm"]) rmSync(oldest.path + suffix, { force: true });
      this.#segments.shift();
      removed = true;
    }
    if (!removed) return;
    syncFolder(this.#options.dir);
    this.#asideBytes = asideBytes(this.#options.dir);
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
    const spare = spareSegments(this.#segments, {
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
      segments: this.#segments.length,
      diskBytes: this.diskBytes,
      writtenBytes: this.#writtenBytes,
      nextOffset: this.#nextOffset,
      duplicates: this.#duplicates,
      refused: this.#refused,
      damagesOverCount: this.#damages.overCount,
      damages: this.#damages.damages,
    };
  }

  close(): void {
    for (const segment of this.#segments) segment.rest();
    this.#reserve.close(this.#nextOffset);
    this.#segments = [];
  }

  get diskBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.diskBytes(), 0);
  }

  /** Bytes of segments that were set aside as damaged. */
  get asideBytes(): number {
    return this.#asideBytes;
  }

  #newest(): Segment {
    return present(this.#segments.at(-1), "the log has a segment");
  }

  #rotate(): void {
    this.#segments.at(-1)?.rest();
    this.#segments.push(
      new Segment(join(this.#options.dir, segmentName(this.#nextOffset)), this.#nextOffset, this.#bodies),
    );
  }

  /** Opens the segments that are there, oldest first. Returns whether the newest may be written to. */
  #openSegments(): boolean {
    const { dir } = this.#options;
    finishRepairs(dir);
    const names = readdirSync(dir)
      .filter((name) => SEGMENT_NAME.test(name))
      .sort();
    const first = names.map((name) => Number(SEGMENT_NAME.exec(name)?.[1]));
    const whole = names.map((name, i) => {
      const opened = openSegment({
        path: join(dir, name),
        firstOffset: present(first[i], "a name has an offset"),
        endOffset: first[i + 1],
        bodies: this.#bodies,
      });
      if (opened.segment !== undefined) this.#segments.push(opened.segment);
      if (opened.segment !== undefined && !opened.isWhole) this.#mended.add(opened.segment);
      for (const damage of opened.damages) this.#damages.add(damage);
      return opened.isWhole;
    });
    return whole.at(-1) ?? false;
  }

  /** Takes the newest segment out of use for writing; what is whole in it can still be read. */
  #retire(segment: Segment, error: PipelineError): void {
    const { firstOffset, endOffset } = segment;
    segment.rest();
    this.#damaged.add(segment);
    const isEmpty = endOffset === firstOffset;
    if (isEmpty) this.#segments.pop(); // Its name is wanted for the next one.
    const file = isEmpty ? setAside(segment.path) : segment.path;
    this.#asideBytes = asideBytes(this.#options.dir);
    this.#damages.add({ file, fromOffset: firstOffset, endOffset, reason: describeError(error) });
  }
}
