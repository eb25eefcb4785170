import type { DuckDBConnection } from "@duckdb/node-api";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { Column } from "@sluice/shared/contract/table.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { fileColumns } from "./delta-schema.ts";
import { BOUND_LENGTH_MAX, type FileStats } from "./delta-stats.ts";
import { quoteName } from "./views.ts";

/** Statistics of a file's rows, as `fileStats` makes them, by the engine: the file may be larger than memory. */
export async function sortedStats(
  connection: DuckDBConnection,
  stream: Stream,
  source: string,
): Promise<FileStats> {
  const columns = fileColumns(stream);
  const asked = columns.flatMap(({ name, type }) => {
    const column = quoteName(name);
    const [min, max] =
      type === "timestamp"
        ? [`epoch_us(min(${column}))`, `epoch_us(max(${column}))`]
        : [`min(${column})`, `max(${column})`];
    const bounds = hasBounds(type) ? [`(${min})::VARCHAR`, `(${max})::VARCHAR`] : ["NULL", "NULL"];
    return [`(count(*) - count(${column}))::VARCHAR`, ...bounds];
  });
  const reader = await connection.runAndReadAll(
    `SELECT count(*)::VARCHAR, ${asked.join(", ")} FROM ${source} AS r`,
  );
  const [numRecords, ...cells] = (reader.getRows()[0] ?? []).map((cell) =>
    cell === null ? undefined : String(cell),
  );
  const minValues: Record<string, string | number> = {};
  const maxValues: Record<string, string | number> = {};
  const nullCount: Record<string, number> = {};
  for (const [i, { name, type }] of columns.entries()) {
    const [nulls, min, max] = cells.slice(i * 3);
    nullCount[name] = Number(nulls);
    const bounds = min === undefined || max === undefined ? undefined : boundsOf(type, min, max);
    if (bounds !== undefined) [minValues[name], maxValues[name]] = bounds;
  }
  return { numRecords: Number(numRecords), minValues, maxValues, nullCount };
}

const hasBounds = (type: Column["type"]): boolean =>
  ["string", "integer", "long", "double", "timestamp"].includes(type);

function boundsOf(
  type: Column["type"],
  min: string,
  max: string,
): readonly [string | number, string | number] | undefined {
  if (type === "string") return Math.max(min.length, max.length) > BOUND_LENGTH_MAX ? undefined : [min, max];
  const [least, largest] = [Number(min), Number(max)];
  // NaN is larger than every number for the engine, and without bounds for others.
  if (!Number.isFinite(least) || !Number.isFinite(largest)) return undefined;
  if (type !== "timestamp") return [least, largest];
  return [isoTime(Math.floor(least / 1_000) * 1_000), isoTime(Math.ceil(largest / 1_000) * 1_000)];
}
