import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { describeError } from "@sluice/shared/runtime/errors.ts";
import { type GroupRange, type GroupRow, SEGMENT_SCHEMA } from "../segment.ts";
import { openSqlite, setAside, type SqliteFile, sqliteError, syncFolder } from "../sqlite-file.ts";
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

/**
 * Writes every whole group of a damaged segment into a new file beside it, `<path>.repaired`; the segment itself is only
 * read. `endOffset` is where the next file begins, where that is known: what is missing before it is lost.
 *
 * Throws PipelineError "buffer.disk_full", "buffer.unwritable".
 */
export function salvageSegment(path: string, firstOffset: number, endOffset?: number): Salvaged {
  const target = `${path}.repaired`;
  removeFile(target);
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
    removeFile(target);
    throw sqliteError(cause, `cannot write ${target}`);
  } finally {
    file.close();
  }
}

/** Puts the new file in the place of the damaged one, which is set aside; its new path. Durable when it returns. */
export function putInPlace(path: string, repaired: string): string {
  const aside = setAside(path);
  try {
    renameSync(repaired, path);
    syncFolder(dirname(path));
  } catch (cause) {
    throw sqliteError(cause, `cannot put ${repaired} in the place of ${path}`);
  }
  return aside;
}

/** Ends what `putInPlace` began: a crash may have come when the damaged file was aside and the new one not yet in place. */
export function finishRepairs(dir: string): void {
  for (const name of readdirSync(dir)) {
    const place = name.replace(/\.repaired$/, "");
    const isBegun = !existsSync(join(dir, place)) && existsSync(join(dir, `${place}.damaged`));
    if (place === name || !isBegun) continue;
    renameSync(join(dir, name), join(dir, place));
    syncFolder(dir);
  }
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

function removeFile(path: string): void {
  for (const suffix of ["", "-wal", "-shm"])
    if (existsSync(path + suffix)) rmSync(path + suffix, { force: true });
}

/** What a salvage came to, in a sentence. */
export const describeSalvage = (
  aside: string,
  { groups, messages, problems }: Salvaged,
  error?: unknown,
): string =>
  `${error === undefined ? (problems[0] ?? "damaged") : describeError(error)}; ${messages} messages in ${groups} groups were saved from it, it is kept as ${aside}`;
