import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { IncomingMessage, RawMessage } from "@sluice/shared/contract/message.ts";
import { present } from "@sluice/shared/runtime/assert.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { decodeGroup, GroupWriter } from "./message-group.ts";
import { RedeliveryFilter } from "./redelivery-filter.ts";
import { Segment, type StoredGroup } from "./segment.ts";
import { sqliteError, syncFolder } from "./sqlite-file.ts";

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
}

/** Where messages are gone: damaged on disk, and why. */
export interface Damage {
  readonly file: string;
  readonly fromOffset: number;
  /** Exclusive; undefined where it cannot be known. */
  readonly endOffset: number | undefined;
  readonly reason: string;
}

const SEGMENT_NAME = /^segment-(\d{16})\.db$/;
const segmentName = (offset: number): string => `segment-${String(offset).padStart(16, "0")}.db`;

/**
 * The raw messages of a gateway: an append-only log of groups in segment files, the durability boundary.
 *
 * `append` returns when the group is synced. Offsets only grow; those that anything was derived from are never used
 * again. A damaged file is set aside under another name and reported, and the log goes on in a new one. Delivered
 * segments are removed whole. A redelivery of a stored message is recognised and not stored again.
 */
export class SegmentLog {
  readonly #options: SegmentLogOptions;
  #segments: Segment[] = [];
  #nextOffset: number;
  #filter: RedeliveryFilter;
  readonly #damages: Damage[] = [];
  #duplicates = 0;
  #refused = 0;
  #writtenBytes = 0;
  /** The group that was read last, decoded: sequential reading decodes each group once. */
  #read: { readonly first: number; readonly messages: readonly IncomingMessage[] } | undefined;

  private constructor(options: SegmentLogOptions) {
    this.#options = options;
    this.#nextOffset = options.floorOffset;
    this.#filter = new RedeliveryFilter(options.limits.redeliveryEntriesMax);
  }

  /** Opens or makes the log. Throws PipelineError "buffer.unwritable", "buffer.disk_full". */
  static open(options: SegmentLogOptions): SegmentLog {
    const log = new SegmentLog(options);
    try {
      mkdirSync(options.dir, { recursive: true });
    } catch (cause) {
      throw sqliteError(cause, `cannot make ${options.dir}`);
    }
    const names = readdirSync(options.dir).filter((name) => SEGMENT_NAME.test(name));
    for (const name of names.sort()) log.#openSegment(join(options.dir, name));
    const end = log.#segments.at(-1)?.endOffset ?? 0;
    log.#nextOffset = Math.max(options.floorOffset, end);
    if (log.#segments.length === 0) log.#rotate();
    log.#rebuildFilter();
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
    const kept = messages.filter((message) => {
      if (this.#filter.isRedelivery(message)) return false;
      this.#filter.remember(message);
      return true;
    });
    const duplicates = messages.length - kept.length;
    if (kept.length > 0) {
      try {
        this.#store({
          first: fromOffset,
          count: kept.length,
          bytes: duplicates === 0 ? group : encode(kept),
        });
      } catch (error) {
        // What was not stored must not count as stored when it comes again.
        this.#refused += messages.length;
        this.#rebuildFilter();
        throw error;
      }
      this.#nextOffset += kept.length;
    }
    this.#duplicates += duplicates;
    return { fromOffset, count: kept.length, duplicates };
  }

  #store(group: StoredGroup): void {
    const { limits, bootId, clock, otherBytes } = this.#options;
    const used = this.#segments.reduce((sum, segment) => sum + segment.bytes, otherBytes());
    if (used + group.bytes.length > limits.diskBytesMax)
      throw new PipelineError(
        "buffer.full",
        `the buffer has reached its budget of ${limits.diskBytesMax} bytes`,
        {
          hint: "It empties when the lake can be reached; raise buffer.diskBytesMax where the disk has room.",
        },
      );
    const stamp = { bootId, monotonicUs: clock.monotonicUs(), wallUs: clock.nowUs() };
    if (this.#newest().bytes > 0 && this.#newest().bytes + group.bytes.length > limits.segmentBytesMax)
      this.#rotate();
    try {
      this.#newest().append(group, stamp); // Durable from here: SQLite has synced to disk.
    } catch (error) {
      if (!(error instanceof PipelineError) || error.code !== "buffer.damaged") throw error;
      const damaged = present(this.#segments.pop(), "the newest segment");
      damaged.close();
      this.#setAside(damaged.path, damaged.firstOffset, error);
      this.#rotate();
      this.#newest().append(group, stamp);
    }
    this.#writtenBytes += group.bytes.length;
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
        found.push({ ...message, offset: offset++ });
        bytes += message.payload.length + message.topic.length;
      }
    }
    return found;
  }

  /** The decoded group that holds `offset` or, where that is lost, the next one. */
  #groupAt(
    offset: number,
  ): { readonly first: number; readonly messages: readonly IncomingMessage[] } | undefined {
    const last = this.#read;
    if (last !== undefined && offset >= last.first && offset < last.first + last.messages.length) return last;
    for (const segment of this.#segments.slice(this.#segmentIndex(offset))) {
      for (let wanted = offset; ;) {
        const group = this.#readGroup(segment, wanted);
        if (group === undefined) break;
        if (group.messages !== undefined)
          return (this.#read = { first: group.first, messages: group.messages });
        wanted = group.first + group.count;
      }
    }
    return undefined;
  }

  /** The next group of a segment; `messages` is undefined where it is damaged, which is reported once. */
  #readGroup(
    segment: Segment,
    offset: number,
  ): { first: number; count: number; messages: readonly IncomingMessage[] | undefined } | undefined {
    try {
      const group = segment.groupAt(offset);
      return group === undefined ? undefined : { ...group, messages: decodeGroup(group.bytes) };
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      this.#report({
        file: segment.path,
        fromOffset: offset,
        endOffset: undefined,
        reason: describeError(error),
      });
      return error.code === "buffer.damaged" ? segment.rangeAfter(offset) : undefined;
    }
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
      oldest.close();
      for (const suffix of ["", "-wal", "-shm"]) rmSync(oldest.path + suffix, { force: true });
      this.#segments.shift();
      removed = true;
    }
    if (removed) syncFolder(this.#options.dir);
  }

  stats(): {
    readonly segments: number;
    readonly diskBytes: number;
    readonly writtenBytes: number;
    readonly nextOffset: number;
    readonly duplicates: number;
    readonly refused: number;
    readonly damages: readonly Damage[];
  } {
    return {
      segments: this.#segments.length,
      diskBytes: this.#segments.reduce((sum, segment) => sum + segment.diskBytes(), 0),
      writtenBytes: this.#writtenBytes,
      nextOffset: this.#nextOffset,
      duplicates: this.#duplicates,
      refused: this.#refused,
      damages: this.#damages,
    };
  }

  close(): void {
    for (const segment of this.#segments) segment.close();
    this.#segments = [];
  }

  #newest(): Segment {
    return present(this.#segments.at(-1), "the log has a segment");
  }

  #rotate(): void {
    this.#segments.push(
      new Segment(join(this.#options.dir, segmentName(this.#nextOffset)), this.#nextOffset),
    );
  }

  #openSegment(path: string): void {
    const first = Number(SEGMENT_NAME.exec(path.slice(-segmentName(0).length))?.[1]);
    let segment: Segment | undefined;
    try {
      segment = new Segment(path, first);
      const problems = segment.check();
      if (problems[0] !== undefined) throw new PipelineError("buffer.damaged", `${path}: ${problems[0]}`);
      this.#segments.push(segment);
    } catch (error) {
      segment?.close();
      if (!(error instanceof PipelineError) || error.code !== "buffer.damaged") throw error;
      this.#setAside(path, first, error);
    }
  }

  /** Renames a damaged file, so that nobody writes to it and everything left in it can still be saved. */
  #setAside(path: string, fromOffset: number, error: PipelineError): void {
    for (const suffix of ["", "-wal", "-shm"])
      try {
        renameSync(path + suffix, `${path}.damaged${suffix}`);
      } catch (cause) {
        if (suffix === "") throw sqliteError(cause, `cannot set ${path} aside`);
      }
    syncFolder(this.#options.dir);
    this.#report({ file: `${path}.damaged`, fromOffset, endOffset: undefined, reason: describeError(error) });
  }

  #report(damage: Damage): void {
    if (
      this.#damages.some(({ file, fromOffset }) => file === damage.file && fromOffset === damage.fromOffset)
    )
      return;
    this.#damages.push(damage);
    this.#options.log.error(damage, "messages that were acknowledged are damaged on disk");
  }

  /** Remembers the newest stored messages, read from the tail. */
  #rebuildFilter(): void {
    const { redeliveryEntriesMax } = this.#options.limits;
    this.#filter = new RedeliveryFilter(redeliveryEntriesMax);
    const limit = { messages: 1_000, bytes: 8 * 1_048_576 };
    for (let offset = Math.max(0, this.#nextOffset - redeliveryEntriesMax); ;) {
      const messages = this.read(offset, limit);
      for (const message of messages) this.#filter.remember(message);
      const last = messages.at(-1);
      if (last === undefined) return;
      offset = last.offset + 1;
    }
  }
}

function encode(messages: readonly IncomingMessage[]): Uint8Array {
  const writer = new GroupWriter();
  for (const message of messages) writer.append(message);
  return new Uint8Array(writer.take());
}
