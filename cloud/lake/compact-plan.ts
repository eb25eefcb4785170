import type { AddFile } from "./delta-action.ts";
import { PARTITION_COLUMN } from "./delta-schema.ts";

/** What a file's tag says of the order of its rows; another order would have another name. */
export const SORTED_TAG = "sluice.sorted";
export const SORTED = "1";

/** A file with fewer bytes than this part of the target is merged with others. */
const SMALL_SHARE = 0.5;

/** A sorted file is merged again with at least its size over this: so a row is rewritten a few times at most. */
const GROWTH = 4;

export interface CompactLimits {
  readonly targetBytes: number;
  /** So many files that came since make a day worth compacting at once. */
  readonly filesMin: number;
  /** Fewer wait until nothing has come to their day for so long. */
  readonly afterMs: number;
  /** Most bytes of files that one job reads. */
  readonly inputBytesMax: number;
}

/** Files of one day that become fewer, sorted ones. */
export interface CompactionJob {
  readonly day: string;
  readonly files: readonly AddFile[];
  readonly bytes: number;
  /** How many files their rows become. */
  readonly outputs: number;
}

export interface CompactionChoice {
  readonly nowMs: number;
  /** Only this day, and at once. */
  readonly day?: string | undefined;
}

/**
 * Which files of a table are worth merging: one job for each day that has many small files, or any while the day is
 * quiet. Pure; the order of files does not matter, and what the jobs make needs no job again.
 */
export function planCompaction(
  files: Iterable<AddFile>,
  limits: CompactLimits,
  { nowMs, day: only }: CompactionChoice,
): readonly CompactionJob[] {
  const days = new Map<string, AddFile[]>();
  for (const file of files) {
    const day = file.partitionValues[PARTITION_COLUMN];
    // Rows without a day are another writer's: they stay as they are.
    if (typeof day !== "string" || (only !== undefined && day !== only)) continue;
    const own = days.get(day);
    if (own === undefined) days.set(day, [file]);
    else own.push(file);
  }
  return [...days]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(
      ([day, own]) => planDay(day, own, { limits, dueMs: only === undefined ? nowMs : Infinity }) ?? [],
    );
}

function planDay(
  day: string,
  files: readonly AddFile[],
  { limits, dueMs }: { readonly limits: CompactLimits; readonly dueMs: number },
): CompactionJob | undefined {
  const { targetBytes, filesMin, afterMs, inputBytesMax } = limits;
  const inOrder = files.toSorted((a, b) => a.size - b.size || (a.path < b.path ? -1 : 1));
  const unsorted = inOrder.filter((file) => !isSorted(file));
  const newestMs = Math.max(...files.map((file) => file.modificationTime));
  if (unsorted.length < filesMin && newestMs + afterMs > dueMs) return undefined;
  const chosen: AddFile[] = [];
  let bytes = 0;
  const take = (file: AddFile): boolean => {
    if (bytes + file.size > inputBytesMax) return false;
    bytes += file.size;
    return chosen.push(file) > 0;
  };
  for (const file of unsorted) if (!take(file)) break;
  for (const file of inOrder) {
    if (!isSorted(file) || file.size >= targetBytes * SMALL_SHARE) continue;
    if ((bytes > 0 && file.size > GROWTH * bytes) || !take(file)) break;
  }
  const outputs = Math.max(1, Math.round(bytes / targetBytes));
  const isWorthIt = unsorted.length > 0 ? chosen.length > 0 : chosen.length > outputs;
  return isWorthIt ? { day, files: chosen, bytes, outputs } : undefined;
}

const isSorted = (file: AddFile): boolean => file.tags?.[SORTED_TAG] === SORTED;
