import type { ObjectInfo } from "@sluice/shared/store/object-store.ts";
import type { AddFile, RemoveFile } from "./delta-action.ts";

export interface VacuumLimits {
  /** How long files that a commit removed stay for those who look back. */
  readonly tombstoneRetentionMs: number;
  /** How long a file that no commit names must have been seen. */
  readonly orphanGraceMs: number;
}

/** What a table's log and its folder have; paths are relative to the table. */
export interface VacuumView {
  readonly files: ReadonlyMap<string, AddFile>;
  readonly tombstones: ReadonlyMap<string, RemoveFile>;
  readonly listed: readonly ObjectInfo[];
  /** When each file that no commit names was seen first, in milliseconds since the epoch. */
  readonly seen: ReadonlyMap<string, number>;
}

/** A file that may go, and why. */
export interface Removable {
  readonly path: string;
  readonly bytes: number;
  readonly why: "removed" | "orphan";
}

export interface VacuumPlan {
  readonly remove: readonly Removable[];
  /** Files that were removed by a commit and stay until the retention is over. */
  readonly kept: readonly Removable[];
  /** Files that no commit names, with when they were seen first: to be remembered. */
  readonly orphans: ReadonlyMap<string, number>;
}

/** What our tables have as data files; nothing else is touched. */
const DATA_FILE = /^[a-z_]+=[^/]+\/[^/]+\.parquet$/;

/**
 * Which files no version within the retention needs. Pure. A file of the newest version, of a version within the
 * retention, or that somebody may be about to commit is never among them.
 */
export function planVacuum(view: VacuumView, limits: VacuumLimits, nowMs: number): VacuumPlan {
  const active = decodedKeys(view.files);
  const tombstones = decodedKeys(view.tombstones);
  const remove: Removable[] = [];
  const kept: Removable[] = [];
  const orphans = new Map<string, number>();
  for (const { key: path, bytes } of view.listed) {
    if (!DATA_FILE.test(path) || active.has(path)) continue;
    const tombstone = tombstones.get(path);
    if (tombstone !== undefined) {
      const isOver = (tombstone.deletionTimestamp ?? nowMs) + limits.tombstoneRetentionMs <= nowMs;
      (isOver ? remove : kept).push({ path, bytes, why: "removed" });
      continue;
    }
    const sinceMs = Math.min(view.seen.get(path) ?? nowMs, nowMs);
    orphans.set(path, sinceMs);
    if (view.seen.has(path) && sinceMs + limits.orphanGraceMs <= nowMs)
      remove.push({ path, bytes, why: "orphan" });
  }
  return { remove, kept, orphans };
}

/** Paths in the log are URL-encoded. */
const decodedKeys = <V>(files: ReadonlyMap<string, V>): ReadonlyMap<string, V> =>
  new Map([...files].map(([path, file]) => [decodeURIComponent(path), file]));
