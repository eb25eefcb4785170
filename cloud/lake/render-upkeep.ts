import type { CompactReport } from "./compact.ts";
import type { RetainReport } from "./retention.ts";
import type { VacuumReport } from "./vacuum.ts";

/** A compaction for people: a line for each day, and what others were at. */
export function renderCompact({ days, conflicts }: CompactReport): string {
  const lines = days.map(({ table, day, filesBefore, bytesBefore, filesAfter, bytesAfter, rows }) =>
    filesAfter === undefined
      ? `${table} ${day}: ${filesBefore} files of ${mib(bytesBefore)} would be merged`
      : `${table} ${day}: ${filesBefore} files of ${mib(bytesBefore)} became ${filesAfter} of ${mib(bytesAfter ?? 0)} with the same ${rows} rows`,
  );
  return [...(lines.length === 0 ? ["nothing to compact"] : lines), ...conflicts.map(left)].join("\n");
}

/** A retention for people: a line for each day that was thinned or dropped. */
export function renderRetain({ days, conflicts }: RetainReport): string {
  const lines = days.map(({ table, day, kind, reason, rowsBefore = "?", rowsAfter }) => {
    const rows =
      rowsAfter === undefined ? `${rowsBefore} rows, not done` : `${rowsBefore} rows became ${rowsAfter}`;
    return `${table} ${day}: ${kind}: ${rows}: ${reason}`;
  });
  return [...(lines.length === 0 ? ["no day is due"] : lines), ...conflicts.map(left)].join("\n");
}

/** A vacuum for people: a line for each table. */
export function renderVacuum({ deleted, tables }: VacuumReport, orphans: boolean): string {
  const lines = tables.map(({ table, files, bytes, keptFiles, keptBytes, waitingOrphans }) =>
    [
      `${table}: ${files.length} files of ${mib(bytes)} ${deleted ? "deleted" : "would be deleted"}`,
      ...(keptFiles === 0 ? [] : [`${keptFiles} of ${mib(keptBytes)} stay for older versions`]),
      ...(waitingOrphans === 0 ? [] : [`${waitingOrphans} without a commit stay for now`]),
    ].join("; "),
  );
  const note = "another service holds the lease: files without a commit are left to it";
  return [...lines, ...(orphans ? [] : [note])].join("\n");
}

const left = (conflict: string): string => `left for the next time, because of another process: ${conflict}`;

const mib = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;
