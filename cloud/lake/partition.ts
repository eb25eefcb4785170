import { numberAt, type ColumnTable } from "@sluice/shared/codec/columns.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";

const DAY_US = 86_400_000_000;

/** The UTC day of a time as 2026-11-21. */
export const dayOf = (us: number): string => isoTime(Math.floor(us / DAY_US) * DAY_US).slice(0, 10);

/** The rows of each UTC day of a timestamp column, in row order; `undefined` for all rows where there is one day. */
export function rowsByDay(table: ColumnTable, column: string): ReadonlyMap<string, Int32Array | undefined> {
  const data = table.columns[column];
  const days = new Map<number, number[]>();
  for (let row = 0; row < table.count; row++) {
    const day = Math.floor(numberAt(data, row) / DAY_US);
    const rows = days.get(day);
    if (rows === undefined) days.set(day, [row]);
    else rows.push(row);
  }
  const single = days.size === 1;
  return new Map(
    [...days].map(([day, rows]) => [dayOf(day * DAY_US), single ? undefined : Int32Array.from(rows)]),
  );
}
