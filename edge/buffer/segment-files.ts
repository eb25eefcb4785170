import { readdirSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { present } from "@sluice/shared/runtime/assert.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { writeSynced } from "@sluice/shared/runtime/synced-file.ts";
import type { Bodies } from "./body.ts";
import type { DamageReport } from "./damage.ts";
import { asideBytes } from "./file-space.ts";
import { type RetiredSegment, segmentName } from "./log-tail.ts";
import { mendSegment, openSegment } from "./segment-opening.ts";
import { type GroupRange, Segment, type StampedMessages } from "./segment.ts";
import { setAside, syncFolder } from "./sqlite-file.ts";
import { finishRepairs } from "./tools/salvage.ts";

/** A decoded group, and its first offset. */
export type ReadGroup = StampedMessages & { readonly first: number };

export interface SegmentFilesOptions {
  readonly dir: string;
  readonly bodies: Bodies;
  readonly damages: DamageReport;
}

const SEGMENT_NAME = /^segment-(\d{16})\.db$/;

/** Empty segments that wait to be written to. Each has a name of its own: the one before may just be taken into use. */
const SPARE_NAME = /^spare-\d+\.db/;

/** Failures that do not pass: reading goes on behind them. */
const DAMAGE: ReadonlySet<string> = new Set(["buffer.damaged", "buffer.group_damaged"]);

/**
 * The segment files of a log, oldest first: opened when they are read, mended where they are damaged, removed when they
 * are done with. Each damage is reported once.
 */
export class SegmentFiles {
  readonly #options: SegmentFilesOptions;
  #segments: Segment[] = [];
  /** Segments with damage: never written to, never deleted. */
  readonly #damaged = new Set<Segment>();
  /** Segments that hold what was saved of a damaged one, which is set aside. */
  readonly #mended = new Set<Segment>();
  /** Full segments that another thread still has open: whoever closes them last folds their write-ahead log in. */
  readonly #held = new Set<Segment>();
  /** The segment that was read last; the others rest. */
  #reading: Segment | undefined;
  #isWrittenElsewhere = false;
  /** How many spare segments were made. */
  #spares = 0;
  #asideBytes = 0;
  /** The bytes of a segment without groups. */
  #empty: Uint8Array | undefined;

  constructor(options: SegmentFilesOptions) {
    this.#options = options;
  }

  get all(): readonly Segment[] {
    return this.#segments;
  }

  get newest(): Segment {
    return present(this.#segments.at(-1), "the log has a segment");
  }

  get diskBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.diskBytes(), 0);
  }

  /** Bytes of segments that were set aside as damaged. */
  get asideBytes(): number {
    return this.#asideBytes;
  }

  /** Opens the segments that are there, oldest first. Returns whether the newest may be written to. */
  open(): boolean {
    const { dir, bodies, damages } = this.#options;
    finishRepairs(dir);
    for (const name of readdirSync(dir)) if (SPARE_NAME.test(name)) rmSync(join(dir, name), { force: true });
    const names = readdirSync(dir)
      .filter((name) => SEGMENT_NAME.test(name))
      .sort();
    const first = names.map((name) => Number(SEGMENT_NAME.exec(name)?.[1]));
    const whole = names.map((name, i) => {
      const opened = openSegment({
        path: join(dir, name),
        firstOffset: present(first[i], "a name has an offset"),
        endOffset: first[i + 1],
        bodies,
      });
      if (opened.segment !== undefined) this.#segments.push(opened.segment);
      if (opened.segment !== undefined && !opened.isWhole) this.#mended.add(opened.segment);
      for (const damage of opened.damages) damages.add(damage);
      return opened.isWhole;
    });
    this.#asideBytes = asideBytes(dir);
    return whole.at(-1) ?? false;
  }

  /** Opens or makes the segment that begins at an offset, behind all others. */
  begin(firstOffset: number): void {
    const path = join(this.#options.dir, segmentName(firstOffset));
    this.#segments.push(new Segment(path, firstOffset, this.#options.bodies));
  }

  /** The same for one that is open already. */
  add(segment: Segment): void {
    this.#segments.push(segment);
  }

  /**
   * Makes an empty segment for whoever appends, so that nothing waits for it later; undefined where that fails. SQLite
   * syncs a new file many times, so it makes only the first one, and the others are copies.
   */
  async makeSpare(): Promise<string | undefined> {
    const { dir, bodies } = this.#options;
    const path = join(dir, `spare-${this.#spares++}.db`);
    try {
      if (this.#empty === undefined) {
        new Segment(path, 0, bodies).rest();
        this.#empty = await readFile(path);
      } else await writeSynced(path, this.#empty);
      return path;
    } catch {
      return undefined; // It is made when it is wanted, or the failure is told then.
    }
  }

  /** Another thread writes to the newest segment from now on: it is not mended under its hands. */
  handOver(): void {
    this.newest.rest();
    this.#isWrittenElsewhere = true;
  }

  /** Keeps the newest segment, which is full, open until another thread has closed it. */
  hold(): Segment {
    const full = this.newest;
    full.open();
    this.#held.add(full);
    return full;
  }

  /** The other thread has closed it: here is time to fold its write-ahead log in. */
  release(firstOffset: number): void {
    for (const segment of this.#held)
      if (segment.firstOffset === firstOffset) {
        this.#held.delete(segment);
        segment.rest();
      }
  }

  /** The decoded group that holds `offset` or, where that is lost, the next one. */
  groupAt(offset: number): ReadGroup | undefined {
    const { damages } = this.#options;
    for (const segment of this.#segments.slice(this.#indexOf(offset))) {
      this.#use(segment);
      for (let wanted = Math.max(offset, segment.firstOffset); wanted < segment.endOffset;) {
        const range = this.#orDamaged(segment, { first: wanted, end: segment.endOffset }, () =>
          segment.find(wanted),
        );
        const next = range?.first ?? segment.endOffset;
        if (next > wanted && this.#mend(segment, new PipelineError("buffer.damaged", "groups are missing")))
          continue; // A file has gaps only where it was mended.
        damages.addMissing(segment.path, wanted, next);
        if (range === undefined) break;
        const group = this.#messagesOf(segment, range);
        if (group !== undefined) return { first: range.first, ...group };
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
      this.#options.damages.add({
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
    // What another thread has open is mended when everything is opened anew.
    if (this.#isWrittenElsewhere && (segment === this.newest || this.#held.has(segment))) throw error;
    if (segment === this.newest) this.#damaged.add(segment);
    segment.rest();
    const { path, firstOffset, endOffset } = segment;
    const { damages } = mendSegment({ path, firstOffset, endOffset, bodies: this.#options.bodies }, error);
    this.#mended.add(segment);
    for (const damage of damages) this.#options.damages.add(damage);
    this.#asideBytes = asideBytes(this.#options.dir);
    return true;
  }

  /** Closes the segment that was read before, unless it is still written to. */
  #use(segment: Segment): void {
    const before = this.#reading;
    if (before !== undefined && before !== segment && before !== this.newest && !this.#held.has(before))
      before.rest();
    this.#reading = segment;
  }

  /** The segment in which to look for `offset`: the last one that begins at or before it. */
  #indexOf(offset: number): number {
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
      else removeSegment(oldest.path);
      this.#segments.shift();
      removed = true;
    }
    if (!removed) return;
    syncFolder(this.#options.dir);
    this.#asideBytes = asideBytes(this.#options.dir);
  }

  /** Takes the newest segment out of use for writing; what is whole in it can still be read. */
  retire({ segment, file, isEmpty, reason }: RetiredSegment): void {
    const { firstOffset, endOffset } = segment;
    segment.rest();
    this.#damaged.add(segment);
    if (isEmpty) this.#segments.pop();
    this.#asideBytes = asideBytes(this.#options.dir);
    this.#options.damages.add({ file, fromOffset: firstOffset, endOffset, reason });
  }

  close(): void {
    for (const segment of this.#segments) segment.rest();
    this.#segments = [];
  }
}

function removeSegment(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
}
