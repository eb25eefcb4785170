import { type ColumnData, type ColumnTable, numberAt } from "@sluice/shared/codec/columns.ts";

/** Whether a reading of a device at an event time must stay. */
export type IsKept = (device: string, atUs: number) => boolean;

/** The numbers of the rows that stay. */
export type RowChoice = readonly number[];

/**
 * Which readings stay when one of `every` of each series does, and all that must; `every` 0: only those that must.
 *
 * Of a series' readings that need not stay the first is kept, then each `every`-th after it, in the order of the batch.
 */
export function thinnedReadings(table: ColumnTable, every: number, isKept: IsKept): RowChoice {
  const device = stringsOf(table, "device");
  const metric = stringsOf(table, "metric");
  const seen = new Map<string, number>();
  const rows: number[] = [];
  for (let row = 0; row < table.count; row++) {
    const name = device(row);
    if (isKept(name, numberAt(table.columns["measured_at"], row))) {
      rows.push(row);
      continue;
    }
    if (every === 0) continue;
    const series = `${name}\n${metric(row)}`;
    const nth = seen.get(series) ?? 0;
    seen.set(series, nth + 1);
    if (nth % every === 0) rows.push(row);
  }
  return rows;
}

/** Which vectors stay: those of windows that must. */
export function keptVectors(table: ColumnTable, isKept: IsKept): RowChoice {
  const device = stringsOf(table, "device");
  const rows: number[] = [];
  for (let row = 0; row < table.count; row++)
    if (isKept(device(row), numberAt(table.columns["window_start"], row))) rows.push(row);
  return rows;
}

/** What rows tell of themselves to whoever reads that they were given up. */
export interface Extent {
  readonly devices: readonly string[];
  readonly fromUs: number;
  readonly throughUs: number;
}

/** The devices and the event times of the rows that do not stay: of readings, or of the windows of vectors. */
export function extentOfOthers(
  table: ColumnTable,
  kept: RowChoice,
  timeColumn: "measured_at" | "window_start",
): Extent {
  const device = stringsOf(table, "device");
  const devices = new Set<string>();
  let fromUs = Number.POSITIVE_INFINITY;
  let throughUs = Number.NEGATIVE_INFINITY;
  let next = 0;
  for (let row = 0; row < table.count; row++) {
    if (kept[next] === row) {
      next++;
      continue;
    }
    devices.add(device(row));
    const atUs = numberAt(table.columns[timeColumn], row);
    fromUs = Math.min(fromUs, atUs);
    throughUs = Math.max(throughUs, atUs);
  }
  return { devices: [...devices], fromUs, throughUs };
}

/** A table of some rows of another, in the same order. */
export function pickRows({ columns }: ColumnTable, rows: RowChoice): ColumnTable {
  const picked = Object.entries(columns).map(([name, data]) => [name, pickColumn(data, rows)] as const);
  return { count: rows.length, columns: Object.fromEntries(picked) };
}

function pickColumn(data: ColumnData, rows: RowChoice): ColumnData {
  switch (data.kind) {
    case "numbers":
      return { kind: data.kind, values: pick(data.values, rows, new Float64Array(rows.length)) };
    case "booleans":
      return { kind: data.kind, values: pick(data.values, rows, new Uint8Array(rows.length)) };
    case "strings":
      return pickStrings(data.dictionary, pick(data.indices, rows, new Int32Array(rows.length)));
    case "binaries":
      return { kind: data.kind, values: rows.map((row) => data.values[row] ?? new Uint8Array()) };
    case "numberLists":
      return { kind: data.kind, values: rows.map((row) => data.values[row] ?? []) };
    case "stringLists":
      return { kind: data.kind, values: rows.map((row) => data.values[row] ?? []) };
  }
}

function pick<T extends Float64Array | Int32Array | Uint8Array>(values: T, rows: RowChoice, target: T): T {
  for (let i = 0; i < rows.length; i++) target[i] = values[rows[i] ?? 0] ?? 0;
  return target;
}

/** The dictionary is made anew, so that names of which no row is left go too. */
function pickStrings(dictionary: readonly string[], indices: Int32Array): ColumnData {
  const places = new Map<number, number>();
  const names: string[] = [];
  for (let i = 0; i < indices.length; i++) {
    const before = indices[i] ?? -1;
    if (before < 0) continue;
    let place = places.get(before);
    if (place === undefined) places.set(before, (place = names.push(dictionary[before] ?? "") - 1));
    indices[i] = place;
  }
  return { kind: "strings", dictionary: names, indices };
}

function stringsOf({ columns }: ColumnTable, name: string): (row: number) => string {
  const data = columns[name];
  if (data?.kind !== "strings") return () => "";
  return (row) => data.dictionary[data.indices[row] ?? -1] ?? "";
}
