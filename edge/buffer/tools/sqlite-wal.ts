import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;

/** The page size that our files are made with; assumed where a header cannot be read. */
export const PAGE_BYTES = 4_096;

/** The pages that a write-ahead log holds. */
export interface WalFrames {
  readonly pageBytes: number;
  /** Pages of the file after the last commit; undefined where nothing is committed. */
  readonly pageCount: number | undefined;
  newest(page: number): Buffer | undefined;
  /** The last that was written of a page, whether a commit covers it or not. */
  last(page: number): Buffer | undefined;
  readonly frames: number;
  /** The page of every frame, also of those that no commit covers. */
  all(): Generator<Buffer>;
  close(): void;
}

/**
 * Reads a write-ahead log as SQLite does after a crash: up to the last commit before the first frame whose checksum is
 * wrong (sqlite.org/fileformat2.html, §4). Undefined where there is none.
 *
 * SQLite ends in silence at a frame that is not whole. Here it is a problem where the frame, or one behind it, belongs to
 * this log: commits that were synced may be lost with it. Only the last commit can be torn by a power cut, and then it
 * was never acknowledged; the file does not tell whether that is what happened.
 */
export function readWalFrames(path: string, report: Report): WalFrames | undefined {
  let handle: number;
  try {
    handle = openSync(path, "r");
  } catch {
    return undefined;
  }
  const frames = scan(handle, report);
  if (frames === undefined) closeSync(handle);
  return frames;
}

/** What is certainly lost from the write-ahead log of a file; undefined where a power cut explains what is seen. */
export function walDamage(path: string): string | undefined {
  let damage: string | undefined;
  const report: Report = (problem, isCertain) => {
    if (isCertain) damage = problem;
  };
  readWalFrames(`${path}-wal`, report)?.close();
  return damage;
}

/** `isCertain`: no power cut explains it. */
type Report = (problem: string, isCertain: boolean) => void;

interface Head {
  readonly bigEndian: boolean;
  readonly pageBytes: number;
  readonly salts: Buffer;
  readonly sum: Sum;
}

type Sum = readonly [number, number];

function scan(handle: number, report: Report): WalFrames | undefined {
  const { size } = fstatSync(handle);
  if (size === 0) return undefined;
  const head = readHead(handle);
  if (head === undefined) {
    const loose = looseFrames(handle, size, PAGE_BYTES);
    const isMore = size > HEADER_BYTES + FRAME_HEADER_BYTES;
    report("the header of its write-ahead log is damaged: all commits in the log are lost to SQLite", isMore);
    return { ...loose, pageCount: undefined, newest: () => undefined };
  }
  const frameBytes = FRAME_HEADER_BYTES + head.pageBytes;
  const loose = looseFrames(handle, size, head.pageBytes);
  const { frames: count, at } = loose;
  const newest = new Map<number, number>();
  let uncommitted: [page: number, frame: number][] = [];
  let pageCount: number | undefined;
  let sum = head.sum;
  let frame = 0;
  const bytes = Buffer.alloc(frameBytes);
  for (; frame < count; frame++) {
    readSync(handle, bytes, 0, frameBytes, at(frame));
    if (!bytes.subarray(8, 16).equals(head.salts)) break;
    sum = checksum(bytes.subarray(FRAME_HEADER_BYTES), head, checksum(bytes.subarray(0, 8), head, sum));
    if (sum[0] !== bytes.readUInt32BE(16) || sum[1] !== bytes.readUInt32BE(20)) break;
    uncommitted.push([bytes.readUInt32BE(0), frame]);
    if (bytes.readUInt32BE(4) === 0) continue;
    for (const [page, which] of uncommitted) newest.set(page, which);
    uncommitted = [];
    pageCount = bytes.readUInt32BE(4);
  }
  reportTail(handle, { head, from: frame, count, at }, report);
  return {
    ...loose,
    pageCount,
    newest: (page) => {
      const which = newest.get(page);
      return which === undefined ? undefined : loose.pageAt(which);
    },
  };
}

/** The frames as they stand in the file, whatever their checksums say. */
function looseFrames(handle: number, size: number, pageBytes: number) {
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const frames = Math.max(0, Math.floor((size - HEADER_BYTES) / frameBytes));
  const at = (frame: number): number => HEADER_BYTES + frame * frameBytes;
  const pageAt = (frame: number): Buffer => {
    const page = Buffer.alloc(pageBytes);
    readSync(handle, page, 0, page.length, at(frame) + FRAME_HEADER_BYTES);
    return page;
  };
  let places: Map<number, number> | undefined;
  return {
    pageBytes,
    frames,
    at,
    pageAt,
    last: (page: number): Buffer | undefined => {
      places ??= new Map(Array.from({ length: frames }, (_, frame) => [numberAt(handle, at(frame)), frame]));
      const frame = places.get(page);
      return frame === undefined ? undefined : pageAt(frame);
    },
    *all() {
      for (let frame = 0; frame < frames; frame++) yield pageAt(frame);
    },
    close: () => closeSync(handle),
  };
}

function numberAt(handle: number, at: number): number {
  const bytes = Buffer.alloc(4);
  readSync(handle, bytes, 0, 4, at);
  return bytes.readUInt32BE(0);
}

function readHead(handle: number): Head | undefined {
  const bytes = Buffer.alloc(HEADER_BYTES);
  if (readSync(handle, bytes, 0, HEADER_BYTES, 0) < HEADER_BYTES) return undefined;
  const magic = bytes.readUInt32BE(0);
  if ((magic & ~1) >>> 0 !== MAGIC) return undefined;
  const head = {
    bigEndian: (magic & 1) === 1,
    pageBytes: bytes.readUInt32BE(8),
    salts: Buffer.from(bytes.subarray(16, 24)),
  };
  const sum = checksum(bytes.subarray(0, 24), head, [0, 0]);
  return sum[0] === bytes.readUInt32BE(24) && sum[1] === bytes.readUInt32BE(28)
    ? { ...head, sum }
    : undefined;
}

/** What is behind the last good frame and was written by the same log; older frames have other salts. */
function reportTail(
  handle: number,
  { head, from, count, at }: { head: Head; from: number; count: number; at: (frame: number) => number },
  report: Report,
): void {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
  let commits = 0;
  let own = 0;
  for (let frame = from; frame < count; frame++) {
    readSync(handle, bytes, 0, FRAME_HEADER_BYTES, at(frame));
    const isLike = bytes.subarray(8, 12).equals(head.salts.subarray(0, 4));
    const isOther = !bytes.subarray(12, 16).equals(head.salts.subarray(4));
    // A frame of an older log has neither of the salts: one alone is a flip.
    if (!isLike && isOther) continue;
    own++;
    if (bytes.readUInt32BE(4) !== 0) commits++;
  }
  if (commits > 1)
    report(
      `its write-ahead log is damaged at frame ${from}: ${commits} commits behind it are lost to SQLite`,
      true,
    );
  else if (own > 0)
    report(
      `its write-ahead log is torn at frame ${from}, in its last commit: normal after a power cut, damage otherwise`,
      false,
    );
}

/** SQLite's sum over 32-bit words, two at a time. */
function checksum(bytes: Buffer, { bigEndian }: { readonly bigEndian: boolean }, start: Sum): Sum {
  let [a, b] = start;
  for (let i = 0; i < bytes.length; i += 8) {
    a = (a + (bigEndian ? bytes.readUInt32BE(i) : bytes.readUInt32LE(i)) + b) >>> 0;
    b = (b + (bigEndian ? bytes.readUInt32BE(i + 4) : bytes.readUInt32LE(i + 4)) + a) >>> 0;
  }
  return [a, b];
}
