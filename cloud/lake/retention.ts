import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { SORTED, SORTED_TAG } from "./compact-plan.ts";
import { unlessStopped, withFiles, type Workshop } from "./compact.ts";
import { writeSorted } from "./compact-write.ts";
import type { AddFile } from "./delta-action.ts";
import type { Snapshot } from "./delta-snapshot.ts";
import { numbersOf } from "./chunks.ts";
import { parseStats } from "./delta-stats.ts";
import { planRetention, type RetentionJob, THINNED_TAG } from "./retention-plan.ts";
import type { LakeSettings } from "./settings.ts";
import { tableRows } from "./views.ts";

export interface RetainChoice {
  readonly streams: readonly Stream[];
  /** Says what would be done, and does nothing. */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly say?: ((text: string) => void) | undefined;
}

/** One day of one table whose rows became fewer or went, or would. */
export interface RetainedDay {
  readonly table: Stream;
  readonly day: string;
  readonly kind: "thin" | "drop";
  readonly reason: string;
  readonly files: number;
  readonly bytes: number;
  /** Rows that were there; undefined where the log does not say. */
  readonly rowsBefore: number | undefined;
  /** Undefined where nothing was done. */
  readonly rowsAfter: number | undefined;
}

export interface RetainReport {
  readonly days: readonly RetainedDay[];
  /** Days that others rewrote meanwhile: they are left for the next time. */
  readonly conflicts: readonly string[];
}

/**
 * Thins and drops days of tables by their age, each day by one commit that names the policy, the reason and the rows.
 *
 * Whether a data set or a label needs the rows is not looked at: data sets are immutable copies, and a label that is
 * older than its readings trains nothing. The files stay until they are vacuumed: until then `--as-of` shows the rows.
 */
export async function retain(
  workshop: Workshop,
  policies: LakeSettings["retention"],
  { streams, dryRun = false, signal, say }: RetainChoice,
): Promise<RetainReport> {
  const days: RetainedDay[] = [];
  const conflicts: string[] = [];
  for (const stream of streams) {
    const snapshot = await workshop.logs[stream].refresh();
    const nowMs = Math.floor(workshop.clock.nowUs() / 1_000);
    const policy = { thinIntervalMs: 1, ...policies[stream] };
    for (const job of planRetention(snapshot.files.values(), policy, nowMs)) {
      if (signal?.aborted === true) return { days, conflicts };
      say?.(`${stream} ${job.day}: ${job.kind}`);
      const work = { stream, snapshot, job, nowMs, intervalMs: policy.thinIntervalMs, signal };
      const rowsBefore = statedRows(job.files);
      const { day, kind, reason, bytes } = job;
      const planned = { table: stream, day, kind, reason, files: job.files.length, bytes, rowsBefore };
      if (dryRun) days.push({ ...planned, rowsAfter: undefined });
      else {
        const adds = kind === "drop" ? [] : await unlessStopped(signal, () => thin(workshop, work));
        if (adds === undefined) return { days, conflicts };
        const conflict = await commit(workshop, { ...work, adds, rowsBefore });
        if (conflict === undefined) days.push({ ...planned, rowsAfter: statedRows(adds) });
        else conflicts.push(`${stream} ${day}: ${conflict}`);
      }
    }
  }
  return { days, conflicts };
}

interface DayWork {
  readonly stream: Stream;
  readonly snapshot: Snapshot;
  readonly job: RetentionJob;
  readonly nowMs: number;
  readonly intervalMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Writes what stays of a day: of each series the first reading of each interval, itself unchanged. */
async function thin(
  workshop: Workshop,
  { stream, snapshot, job, nowMs, intervalMs, signal }: DayWork,
): Promise<readonly AddFile[]> {
  const { day, files } = job;
  return withFiles(workshop, { stream, snapshot, files, signal }, async (place) => {
    const series = `r.gateway, r.device, r.metric, epoch_us(r.measured_at) // ${intervalMs * 1_000}`;
    const [expected = NaN] = await numbersOf(
      place.connection,
      `SELECT count(*) FROM (SELECT DISTINCT ${series} FROM (${tableRows(stream, place.paths)}) AS r)`,
    );
    const qualify = `row_number() OVER (PARTITION BY ${series} ORDER BY r.measured_at, r.received_at, r.epoch, r."offset", r."index") = 1`;
    const tags = { [SORTED_TAG]: SORTED, [THINNED_TAG]: String(intervalMs) };
    const adds: AddFile[] = [];
    let rows = 0;
    const sorted = writeSorted(place.connection, { stream, day, outputs: 1, nowMs, tags, qualify, ...place });
    for await (const { add, body, fingerprint } of sorted) {
      await workshop.store.put(`${tablePrefix(stream)}${add.path}`, body, { ifAbsent: true });
      adds.push(add);
      rows += Number(fingerprint.rows);
    }
    if (rows !== expected)
      throw new PipelineError(
        "lake.rewrite_differs",
        `table ${stream}, day ${day}: ${expected} readings were to stay and ${rows} came out; nothing was committed`,
        { hint: "Look at the disk of tables.cacheDir; delete the cache's folder and try again." },
      );
    return adds;
  });
}

/** Commits a day; why it could not be, where others were faster. */
async function commit(
  { logs, requireHeld }: Workshop,
  {
    stream,
    snapshot,
    job,
    nowMs,
    intervalMs,
    adds,
    rowsBefore,
  }: DayWork & { readonly adds: readonly AddFile[]; readonly rowsBefore: number | undefined },
): Promise<string | undefined> {
  const { kind, day, files, reason } = job;
  requireHeld?.();
  const rowsAfter = statedRows(adds);
  // The commit point: from here the rows are gone for all but those who look back.
  const outcome = await logs[stream].rewrite({
    remove: files.map(({ path }) => path),
    add: adds,
    planned: snapshot,
    dataChange: true,
    commitInfo: {
      timestamp: nowMs,
      operation: "DELETE",
      operationParameters: {
        predicate: JSON.stringify([`date = '${day}'`]),
        reason,
        retention: kind,
        ...(kind === "thin" ? { intervalMs: String(intervalMs) } : {}),
      },
      operationMetrics: {
        numRemovedFiles: String(files.length),
        numRemovedBytes: String(job.bytes),
        numAddedFiles: String(adds.length),
        ...(rowsBefore === undefined || rowsAfter === undefined
          ? {}
          : { numDeletedRows: String(rowsBefore - rowsAfter), numCopiedRows: String(rowsAfter) }),
      },
      engineInfo: "sluice",
      txnId: newUuid(),
    },
  });
  return outcome.state === "committed" ? undefined : outcome.reason;
}

/** Rows of files by the log; undefined where it does not say of one. */
function statedRows(files: readonly AddFile[]): number | undefined {
  let rows = 0;
  for (const { stats } of files) {
    const stated = parseStats(stats)?.numRecords;
    if (stated === undefined) return undefined;
    rows += stated;
  }
  return rows;
}
