import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { assert } from "@sluice/shared/runtime/assert.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { FileCache } from "./cache.ts";
import { cacheFiles } from "./catalog.ts";
import {
  type CompactionJob,
  type CompactLimits,
  planCompaction,
  SORTED,
  SORTED_TAG,
} from "./compact-plan.ts";
import { checkSameRows, writeSorted } from "./compact-write.ts";
import type { AddFile } from "./delta-action.ts";
import type { DeltaLog } from "./delta-log.ts";
import type { Snapshot } from "./delta-snapshot.ts";
import { type Fingerprint, fingerprintOf } from "./fingerprint.ts";
import { RETENTION_TAGS } from "./retention-plan.ts";
import type { SqlEngine } from "./sql.ts";
import { tableRows } from "./views.ts";

/** How often a table's jobs are planned anew because another process was at the same files. */
const REPLANS_MAX = 3;

/** What rewriting tables works with. */
export interface Workshop {
  readonly store: ObjectStore;
  readonly logs: Readonly<Record<Stream, DeltaLog>>;
  readonly cache: FileCache;
  readonly engine: SqlEngine;
  readonly clock: Clock;
  /** Throws where this process may not commit any more. */
  readonly requireHeld?: (() => void) | undefined;
}

export interface CompactChoice {
  readonly streams: readonly Stream[];
  /** Only this day, and at once. */
  readonly day?: string | undefined;
  /** Says what would be done, and does nothing. */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly say?: ((text: string) => void) | undefined;
}

/** One day of one table that was compacted, or would be. */
export interface CompactedDay {
  readonly table: Stream;
  readonly day: string;
  readonly filesBefore: number;
  readonly bytesBefore: number;
  /** Undefined where nothing was done. */
  readonly filesAfter: number | undefined;
  readonly bytesAfter: number | undefined;
  readonly rows: number | undefined;
}

export interface CompactReport {
  readonly days: readonly CompactedDay[];
  /** Why days were planned anew or left for the next time: others were at the same files. */
  readonly conflicts: readonly string[];
}

/**
 * Merges the small files of each table and day into few, sorted ones.
 *
 * A day's new files are written first, read back, and compared with the old ones row by row hash; then one commit puts
 * them in the place of the old ones. It may die at any instant: files that no commit names are orphans. Commits of
 * others go on meanwhile; where one has rewritten the same files nothing is committed and the day is planned anew.
 *
 * Errors: those of the store, the log and the cache; "lake.rewrite_differs".
 */
export async function compact(
  workshop: Workshop,
  limits: CompactLimits,
  choice: CompactChoice,
): Promise<CompactReport> {
  const days: CompactedDay[] = [];
  const conflicts: string[] = [];
  for (const stream of choice.streams)
    for (let plans = 0; plans <= REPLANS_MAX; plans++) {
      const snapshot = await workshop.logs[stream].refresh();
      const nowMs = Math.floor(workshop.clock.nowUs() / 1_000);
      const jobs = planCompaction(snapshot.files.values(), limits, { nowMs, day: choice.day });
      const before = conflicts.length;
      for (const job of jobs) {
        if (choice.signal?.aborted === true) return { days, conflicts };
        choice.say?.(`compacting ${stream} ${job.day}: ${job.files.length} files, ${job.bytes} bytes`);
        const planned = plannedDay(stream, job);
        if (choice.dryRun === true) days.push(planned);
        else {
          const work = { stream, snapshot, job, nowMs, signal: choice.signal };
          const done = await unlessStopped(choice.signal, () => compactDay(workshop, work));
          if (done === undefined) return { days, conflicts };
          if ("conflict" in done) conflicts.push(`${stream} ${job.day}: ${done.conflict}`);
          else days.push({ ...planned, ...done });
        }
      }
      if (conflicts.length === before) break;
    }
  return { days, conflicts };
}

const plannedDay = (table: Stream, { day, files, bytes }: CompactionJob): CompactedDay => ({
  table,
  day,
  filesBefore: files.length,
  bytesBefore: bytes,
  filesAfter: undefined,
  bytesAfter: undefined,
  rows: undefined,
});

interface DayWork {
  readonly stream: Stream;
  readonly snapshot: Snapshot;
  readonly job: CompactionJob;
  readonly nowMs: number;
  readonly signal: AbortSignal | undefined;
}

async function compactDay(
  workshop: Workshop,
  { stream, snapshot, job, nowMs, signal }: DayWork,
): Promise<
  | { readonly conflict: string }
  | { readonly filesAfter: number; readonly bytesAfter: number; readonly rows: number }
> {
  const { day, files, outputs } = job;
  const { adds, rows } = await withFiles(workshop, { stream, snapshot, files, signal }, async (place) => {
    const before = await fingerprintOf(place.connection, stream, `(${tableRows(stream, place.paths)})`);
    const tags = { [SORTED_TAG]: SORTED, ...sharedTags(files) };
    const written: AddFile[] = [];
    const after: Fingerprint[] = [];
    const sorted = writeSorted(place.connection, { stream, day, outputs, nowMs, tags, ...place });
    for await (const { add, body, fingerprint } of sorted) {
      await workshop.store.put(`${tablePrefix(stream)}${add.path}`, body, { ifAbsent: true });
      written.push(add);
      after.push(fingerprint);
    }
    checkSameRows(stream, before, after);
    return { adds: written, rows: Number(before.rows) };
  });
  const bytesAfter = adds.reduce((sum, { size }) => sum + size, 0);
  workshop.requireHeld?.();
  // The commit point: from here the rows are in the new files, and the old ones are for those who look back.
  const outcome = await workshop.logs[stream].rewrite({
    remove: files.map(({ path }) => path),
    add: adds,
    planned: snapshot,
    commitInfo: {
      timestamp: nowMs,
      operation: "OPTIMIZE",
      operationParameters: { predicate: JSON.stringify([`date = '${day}'`]), reason: "compaction" },
      operationMetrics: {
        numRemovedFiles: String(files.length),
        numRemovedBytes: String(job.bytes),
        numAddedFiles: String(adds.length),
        numAddedBytes: String(bytesAfter),
        numOutputRows: String(rows),
      },
      engineInfo: "sluice",
      txnId: newUuid(),
    },
  });
  return outcome.state === "committed"
    ? { filesAfter: adds.length, bytesAfter, rows }
    : { conflict: outcome.reason };
}

/** The tags of retention that all files have: what is merged with whole readings counts as whole. */
function sharedTags(files: readonly AddFile[]): Readonly<Record<string, string>> {
  const shared: Record<string, string> = {};
  for (const tag of RETENTION_TAGS) {
    const value = files[0]?.tags?.[tag];
    if (value !== undefined && files.every(({ tags }) => tags?.[tag] === value)) shared[tag] = value;
  }
  return shared;
}

/** Copies of table files, a connection that reads them, and a folder for what is made of them. */
export interface WorkPlace {
  readonly connection: Awaited<ReturnType<SqlEngine["connect"]>>;
  readonly paths: readonly string[];
  readonly workDir: string;
}

/** Files of a table that are worked on; `signal` ends what the engine is at. */
export interface NeededFiles {
  readonly stream: Stream;
  readonly snapshot: Snapshot;
  readonly files: readonly AddFile[];
  readonly signal: AbortSignal | undefined;
}

export async function withFiles<T>(
  { cache, engine }: Workshop,
  { stream, snapshot, files, signal }: NeededFiles,
  work: (place: WorkPlace) => Promise<T>,
): Promise<T> {
  assert(files.length > 0, "a job has files");
  const lease = await cache.lease(cacheFiles(stream, snapshot, files));
  const workDir = await mkdtemp(join(cache.workDir, "sorted-"));
  const connection = await engine.connect();
  const interrupt = (): void => connection.interrupt();
  signal?.addEventListener("abort", interrupt);
  try {
    return await work({ connection, paths: lease.paths, workDir });
  } finally {
    signal?.removeEventListener("abort", interrupt);
    connection.closeSync();
    lease.release();
    await rm(workDir, { recursive: true, force: true });
  }
}

/** What work makes; undefined where it failed because it was to stop. */
export async function unlessStopped<T>(
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (signal?.aborted === true) return undefined;
    throw error;
  }
}
