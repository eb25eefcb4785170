import type { LatencySummary } from "../fleet/latency-histogram.ts";
import type { ReplayProgress } from "./replayer.ts";

/** What a replay has done. */
export interface ReplaySummary {
  readonly files: number;
  /** Messages in the recording: good rows with at least one value. */
  readonly rows: number;
  readonly emptyRows: number;
  readonly badRows: number;
  /** Rows that an earlier run got acknowledged. */
  readonly resumedAfter: number;
  /** Rows acknowledged in this run. */
  readonly acknowledged: number;
  readonly shiftUs: number;
  readonly elapsedMs: number;
  readonly rowsPerSecond: number;
  readonly resent: number;
  readonly reconnects: number;
  readonly ackLatencyMs: LatencySummary;
}

/** Rows acknowledged per second in this run. */
export function rateOf({ acknowledged, elapsedMs }: ReplayProgress, resumedAfter: number): number {
  return elapsedMs === 0 ? 0 : ((acknowledged - resumedAfter) * 1_000) / elapsedMs;
}

/** How far it is, in one line. */
export function progressLine(progress: ReplayProgress, rows: number, resumedAfter: number): string {
  const { acknowledged, elapsedMs } = progress;
  const perSecond = rateOf(progress, resumedAfter);
  const eta = perSecond === 0 ? "unknown" : `${Math.ceil((rows - acknowledged) / perSecond)} s`;
  return (
    `${progress.rows}/${rows} rows, ${acknowledged} acknowledged, ${Math.round(perSecond)} rows/s, ` +
    `${Math.round(elapsedMs / 1_000)} s, ETA ${eta}`
  );
}

export function describeSummary(summary: ReplaySummary): string {
  const { acknowledged, resumedAfter, rows, files, badRows, emptyRows } = summary;
  const resumed = resumedAfter === 0 ? "" : ` after the ${resumedAfter} of an earlier run`;
  const left = badRows + emptyRows === 0 ? "" : ` (${badRows} bad and ${emptyRows} empty ones left out)`;
  return (
    `${acknowledged} rows acknowledged${resumed}, of ${rows} in ${files} files${left}; ` +
    `${(summary.elapsedMs / 1_000).toFixed(1)} s, ${summary.rowsPerSecond} rows/s, ` +
    `sent again ${summary.resent}, reconnects ${summary.reconnects}`
  );
}
