import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { describeError } from "@sluice/shared/runtime/errors.ts";
import { type GroupRange, type GroupRow, SEGMENT_SCHEMA } from "../segment.ts";
import {
  finishSettingAside,
  openSqlite,
  setAside,
  type SqliteFile,
  sqliteError,
  syncFolder,
} from "../sqlite-file.ts";
import { readSegment } from "./segment-rows.ts";

/** Offsets [from, end). */
export interface OffsetRange {
  readonly from: number;
  readonly end: number;
}

export interface Salvaged {
  /** The new file with every group that was whole. */
  readonly path: string;
  readonly groups: number;
  readonly messages: number;
  /** Where nothing could be saved between the first offset of the file and the end that is known. */
  readonly lost: readonly OffsetRange[];
  /** The offset after the last message that was saved. */
  readonly endOffset: number;
  readonly problems: readonly string[];
}

/** Rows of one transaction: bounds the write-ahead log of the new file. */
const ROWS_PER_COMMIT = 256;

/** The file that is to take the place of another: nobody else writes to it, and a start ends what a crash interrupted. */
export const mendedPath = (path: string): string => `${path}.mended`;

/** The file that is written for a person to look at, also while a gateway runs. */
export const repairedPath = (path: string): string => `${path}.repaired`;

export interface SalvageOptions {
  readonly firstOffset: number;
  /** Where the next file begins, where that is known: what is missing before it is lost. */
  readonly endOffset: number | undefined;
  /** The new file. */
  readonly target: string;
}

/**
 * Writes every whole group of a damaged segment into a new file; the segment itself is only read.
 *
 * Throws PipelineError "buffer.disk_full", "buffer.unwritable".
 */
export function salvageSegment(path: string, { firstOffset, endOffset, target }: SalvageOptions): Salvaged {
  removeDatabase(target);
  const file = openSqlite(target);
  try {
    file.exec(SEGMENT_SCHEMA);
    const problems = copyGroups(path, file);
    const found = file.prepare("SELECT first, count FROM message_group ORDER BY first").all() as GroupRange[];
    const last = found.at(-1);
    return {
      path: target,
      groups: found.length,
      messages: found.reduce((sum, { count }) => sum + count, 0),
      lost: gaps(found, firstOffset, endOffset),
      endOffset: last === undefined ? firstOffset : last.first + last.count,
      problems,
    };
  } catch (cause) {
    file.close();
    removeDatabase(target);
    throw sqliteError(cause, `cannot write ${target}`);
  } finally {
    file.close();
  }
}

/** Puts the mended file in the place of the damaged one, which is set aside; its new path. Durable when it returns. */
export function putInPlace(path: string): string {
  const mended = mendedPath(path);
  const aside = setAside(path);
  try {
    renameSync(mended, path);
    syncFolder(dirname(path));
  } catch (cause) {
    throw sqliteError(cause, `cannot put ${mended} in the place of ${path}`);
  }
  return aside;
}

/**
 * Ends what `putInPlace` began: a crash may have come when the damaged file was aside and the new one not yet in place.
 * A file that a crash left half written is removed; the damaged one is still in its place then, and mended again.
 */
export function finishRepairs(dir: string): void {
  if (!existsSync(dir)) return;
  finishSettingAside(dir);
  const mended = readdirSync(dir).filter((name) => name.endsWith(mendedPath("")));
  for (const name of mended) {
    const place = join(dir, name.slice(0, -mendedPath("").length));
    if (existsSync(place)) removeDatabase(mendedPath(place));
    else renameSync(mendedPath(place), place);
  }
  if (mended.length > 0) syncFolder(dir);
}

/** What of [firstOffset, endOffset) is in no group; groups in order. */
export function gaps(
  groups: Iterable<GroupRange>,
  firstOffset: number,
  endOffset: number | undefined,
): OffsetRange[] {
  const lost: OffsetRange[] = [];
  let end = firstOffset;
  for (const { first, count } of groups) {
    if (first > end) lost.push({ from: end, end: first });
    end = Math.max(end, first + count);
  }
  if (endOffset !== undefined && endOffset > end) lost.push({ from: end, end: endOffset });
  return lost;
}

function copyGroups(path: string, file: SqliteFile): readonly string[] {
  const insert = file.prepare("INSERT OR IGNORE INTO message_group VALUES (?, ?, ?, ?, ?, ?, ?)");
  let waiting: GroupRow[] = [];
  const flush = file.transaction(() => {
    for (const row of waiting)
      insert.run(row.first, row.count, row.checksum, row.boot_id, row.monotonic_us, row.wall_us, row.body);
  });
  const problems = readSegment(path, (row) => {
    waiting.push(row);
    if (waiting.length < ROWS_PER_COMMIT) return;
    flush();
    waiting = [];
  });
  flush();
  return problems.named;
}

/** Removes a database with its write-ahead log; what is not there does no harm. */
export function removeDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
}

/** What a salvage came to, in a sentence. */
export const describeSalvage = (
  aside: string,
  { groups, messages, problems }: Salvaged,
  error?: unknown,
): string =>
  `${error === undefined ? (problems[0] ?? "damaged") : describeError(error)}; ${messages} messages in ${groups} groups were saved from it, it is kept as ${aside}`;
