import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { Column } from "@sluice/shared/contract/table.ts";
import type { AddFile } from "./delta-action.ts";
import { dateColumn, fileColumns, PARTITION_COLUMN } from "./delta-schema.ts";
import { type FileStats, parseStats } from "./delta-stats.ts";
import { isBefore, type Term, type TermType } from "./prune-terms.ts";

/** Other writers cut the bounds of times off at the millisecond. */
const TIME_SLACK_US = 1_000;

const DAY_US = 86_400_000_000;

/** The columns of a table that conditions may be on, with their types. */
export const termTypes = (stream: Stream): ReadonlyMap<string, TermType> =>
  new Map<string, TermType>([
    ...fileColumns(stream).map(({ name, type }: Column) => [name, type] as const),
    [PARTITION_COLUMN, "date"],
  ]);

/**
 * The files that may have a row for one of several scans, each with the conditions that its rows must meet.
 *
 * Judged by the statistics in the table's log and by the files' days; a file of which nothing is known stays.
 */
export function pruneFiles(
  stream: Stream,
  files: Iterable<AddFile>,
  scans: readonly (readonly Term[])[],
): readonly AddFile[] {
  if (scans.some((terms) => terms.length === 0)) return [...files];
  const types = termTypes(stream);
  const kept: AddFile[] = [];
  for (const file of files) {
    let stats: FileStats | undefined;
    const boundsOf = (column: string): Bounds | undefined => {
      if (column === PARTITION_COLUMN) return dayBounds(file);
      stats ??= parseStats(file.stats) ?? NO_STATS;
      return (
        statedBounds(stats, column, types.get(column)) ??
        (column === dateColumn(stream) ? timesOf(dayBounds(file)) : undefined)
      );
    };
    if (scans.some((terms) => terms.every((term) => mayMeet(term, boundsOf(term.column))))) kept.push(file);
  }
  return kept;
}

interface Bounds {
  readonly min: string | number;
  readonly max: string | number;
}

const NO_STATS: FileStats = { numRecords: 0, minValues: {}, maxValues: {}, nullCount: {} };

const mayMeet = ({ min, max }: Term, bounds: Bounds | undefined): boolean =>
  bounds === undefined ||
  !((min !== undefined && isBefore(bounds.max, min)) || (max !== undefined && isBefore(max, bounds.min)));

/** What the log says of a column; undefined where it says nothing or something of another type. */
function statedBounds(stats: FileStats, column: string, type: TermType | undefined): Bounds | undefined {
  const [min, max] = [stats.minValues[column], stats.maxValues[column]];
  if (min === undefined || max === undefined) return undefined;
  if (type === "timestamp") {
    const [from, to] = [Date.parse(String(min)) * 1_000, Date.parse(String(max)) * 1_000];
    return Number.isFinite(from) && Number.isFinite(to)
      ? { min: from - TIME_SLACK_US, max: to + TIME_SLACK_US }
      : undefined;
  }
  const expected = type === "string" ? "string" : "number";
  return typeof min === expected && typeof max === expected ? { min, max } : undefined;
}

function dayBounds({ partitionValues }: AddFile): Bounds | undefined {
  const day = partitionValues[PARTITION_COLUMN];
  return typeof day === "string" && /^\d{4}-\d\d-\d\d$/.test(day) ? { min: day, max: day } : undefined;
}

function timesOf(days: Bounds | undefined): Bounds | undefined {
  if (days === undefined) return undefined;
  const from = Date.parse(`${days.min}T00:00:00Z`) * 1_000;
  return Number.isFinite(from) ? { min: from, max: from + DAY_US - 1 } : undefined;
}
