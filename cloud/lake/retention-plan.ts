import type { AddFile } from "./delta-action.ts";
import { PARTITION_COLUMN } from "./delta-schema.ts";

const DAY_MS = 86_400_000;

/** What a file's tag says of its readings: the interval of which one per series is left, in milliseconds. */
export const THINNED_TAG = "sluice.thinned_ms";

/** Tags that say what was taken out of a file; compaction keeps those that all files share. */
export const RETENTION_TAGS: readonly string[] = [THINNED_TAG];

/** How long rows of a table are kept, and how finely; a part that is undefined is not done. */
export interface RetentionPolicy {
  readonly thinAfterDays?: number | undefined;
  readonly thinIntervalMs: number;
  readonly dropAfterDays?: number | undefined;
}

/** Files of one day whose rows become fewer, or go. */
export interface RetentionJob {
  readonly kind: "thin" | "drop";
  readonly day: string;
  readonly files: readonly AddFile[];
  readonly bytes: number;
  /** For people and for the table's history. */
  readonly reason: string;
}

/**
 * What a policy wants of a table's days. A day counts from its end, so every row is kept at least as long as the policy
 * says. Pure. Rows that came late to a day that was thinned make it due again; a row without a day is never touched.
 */
export function planRetention(
  files: Iterable<AddFile>,
  policy: RetentionPolicy,
  nowMs: number,
): readonly RetentionJob[] {
  const days = new Map<string, AddFile[]>();
  for (const file of files) {
    const day = file.partitionValues[PARTITION_COLUMN];
    if (typeof day !== "string" || !Number.isFinite(endMs(day))) continue;
    const own = days.get(day);
    if (own === undefined) days.set(day, [file]);
    else own.push(file);
  }
  return [...days]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([day, own]) => planDay(day, own, { policy, ageMs: nowMs - endMs(day) }) ?? []);
}

const endMs = (day: string): number => Date.parse(`${day}T00:00:00Z`) + DAY_MS;

function planDay(
  day: string,
  files: readonly AddFile[],
  { policy, ageMs }: { readonly policy: RetentionPolicy; readonly ageMs: number },
): RetentionJob | undefined {
  const { thinAfterDays, thinIntervalMs, dropAfterDays } = policy;
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const isDue = (days: number | undefined): boolean => days !== undefined && ageMs >= days * DAY_MS;
  if (isDue(dropAfterDays))
    return { kind: "drop", day, files, bytes, reason: `the day ended ${dropAfterDays} days ago or earlier` };
  const isThinned = ({ tags }: AddFile): boolean => Number(tags?.[THINNED_TAG] ?? 0) >= thinIntervalMs;
  if (!isDue(thinAfterDays) || files.every(isThinned)) return undefined;
  const reason = `the day ended ${thinAfterDays} days ago or earlier: one reading of each series per ${thinIntervalMs} ms stays`;
  return { kind: "thin", day, files, bytes, reason };
}
