import type { ColumnTable } from "@sluice/shared/codec/columns.ts";
import { assert } from "@sluice/shared/runtime/assert.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";

const DAY_US = 86_400_000_000;

/** The UTC day of a time as 2026-11-21. */
export const dayOf = (us: number): string => isoTime(Math.floor(us / DAY_US) * DAY_US).slice(0, 10);

/** The rows of each UTC day of a timestamp column, in row order; `undefined` for all rows where there is one day. */
export function rowsByDay(table: ColumnTable, column: string): ReadonlyMap<string, Int32Array | undefined> {
  const data = table.columns[column];
  assert(data?.kind === "numbers", `${column} holds times`);
  const { values } = data;
  const days = new Map<number, number[]>();
  let first = NaN;
  let from = NaN;
  let rows: number[] = [];
  for (let row = 0; row < table.count; row++) {
    const us = values[row] ?? NaN;
    // Most rows are of the same day as the one before.
    if (!(us >= from && us < from + DAY_US)) {
      const day = Math.floor(us / DAY_US);
      if (row === 0) first = day;
      from = day * DAY_US;
      rows = days.get(day) ?? [];
      days.set(day, rows);
    }
    rows.push(row);
  }
  if (days.size === 1) return new Map([[dayOf(first * DAY_US), undefined]]);
  return new Map([...days].map(([day, own]) => [dayOf(day * DAY_US), Int32Array.from(own)]));
}

/** Reads a UTC day as 2026-11-21. Throws PipelineError "config.day". */
export function parseDay(text: string): string {
  const us = Date.parse(`${text}T00:00:00Z`) * 1_000;
  if (/^\d{4}-\d\d-\d\d$/.test(text) && Number.isFinite(us) && dayOf(us) === text) return text;
  throw new PipelineError("config.day", `${text} is no day`, { hint: "Use a UTC day, such as 2026-11-21." });
}
