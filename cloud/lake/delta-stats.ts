import type { ColumnData, ColumnTable } from "@sluice/shared/codec/columns.ts";
import type { Column, ColumnType } from "@sluice/shared/contract/table.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";

type Bound = string | number;

/** What a file's log entry says of its rows, so that readers can pass it over (Delta protocol, "Per-file Statistics"). */
export interface FileStats {
  readonly numRecords: number;
  readonly minValues: Readonly<Record<string, Bound>>;
  readonly maxValues: Readonly<Record<string, Bound>>;
  readonly nullCount: Readonly<Record<string, number>>;
}

/** Longest string that is a bound: the longest id, so that those are whole and equal bounds mean one value. */
export const BOUND_LENGTH_MAX = 128;

/**
 * Statistics of a file's rows. Bounds of times are in whole milliseconds, rounded outwards; lists, bytes, booleans,
 * long strings and columns with NaN have none.
 */
export function fileStats(columns: readonly Column[], table: ColumnTable): FileStats {
  const minValues: Record<string, Bound> = {};
  const maxValues: Record<string, Bound> = {};
  const nullCount: Record<string, number> = {};
  for (const { name, type } of columns) {
    const data = table.columns[name];
    if (data === undefined) continue;
    nullCount[name] = nulls(data);
    const bounds = boundsOf(type, data);
    if (bounds !== undefined) [minValues[name], maxValues[name]] = bounds;
  }
  return { numRecords: table.count, minValues, maxValues, nullCount };
}

function nulls(data: ColumnData): number {
  if (data.kind !== "strings") return 0;
  let count = 0;
  for (let row = 0; row < data.indices.length; row++) if ((data.indices[row] ?? -1) < 0) count++;
  return count;
}

function boundsOf(type: ColumnType, data: ColumnData): readonly [min: Bound, max: Bound] | undefined {
  if (data.kind === "strings") return stringBounds(data.dictionary, data.indices);
  if (data.kind !== "numbers" || data.values.length === 0) return undefined;
  let min = Infinity;
  let max = -Infinity;
  for (let row = 0; row < data.values.length; row++) {
    const value = data.values[row] ?? NaN;
    if (Number.isNaN(value)) return undefined;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (type === "timestamp")
    return [isoTime(Math.floor(min / 1_000) * 1_000), isoTime(Math.ceil(max / 1_000) * 1_000)];
  return Number.isFinite(min) && Number.isFinite(max) ? [min, max] : undefined;
}

function stringBounds(
  dictionary: readonly string[],
  indices: Int32Array,
): readonly [string, string] | undefined {
  const used = new Uint8Array(dictionary.length);
  for (let row = 0; row < indices.length; row++) used[indices[row] ?? -1] = 1;
  const texts = dictionary.filter((_, i) => used[i] === 1);
  if (texts.length === 0 || texts.some((text) => text.length > BOUND_LENGTH_MAX)) return undefined;
  // Readers compare UTF-8 bytes.
  const ordered = texts.map((text) => Buffer.from(text)).sort((a, b) => a.compare(b));
  return [String(ordered[0]), String(ordered.at(-1))];
}

/** Reads a log entry's statistics; undefined where there are none or they are no JSON object. */
export function parseStats(stats: string | undefined): FileStats | undefined {
  if (stats === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(stats);
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const numRecords: unknown = Reflect.get(parsed, "numRecords");
    if (typeof numRecords !== "number") return undefined;
    const [minValues, maxValues, nullCount] = ["minValues", "maxValues", "nullCount"].map((name) =>
      entriesOf(Reflect.get(parsed, name)),
    );
    return {
      numRecords,
      minValues: bounds(minValues),
      maxValues: bounds(maxValues),
      nullCount: Object.fromEntries(
        (nullCount ?? []).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
      ),
    };
  } catch {
    return undefined;
  }
}

const entriesOf = (value: unknown): readonly (readonly [string, unknown])[] =>
  typeof value === "object" && value !== null ? Object.entries(value) : [];

const bounds = (entries: readonly (readonly [string, unknown])[] = []): Readonly<Record<string, Bound>> =>
  Object.fromEntries(
    entries.filter((entry): entry is [string, Bound] => ["string", "number"].includes(typeof entry[1])),
  );
