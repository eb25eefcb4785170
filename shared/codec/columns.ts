import type { ColumnType } from "../contract/table.ts";

/**
 * The values of one column, by kind of type. All have one entry per row.
 *
 * - numbers: integer, long, double, and timestamp in whole microseconds (all exact in a double)
 * - strings: indices into a dictionary of distinct strings; -1 where there is none
 * - booleans: 0 or 1
 * - binaries, numberLists (undefined entries: no value), stringLists: one array per row
 */
export type ColumnData =
  | { readonly kind: "numbers"; readonly values: Float64Array }
  | { readonly kind: "strings"; readonly dictionary: readonly string[]; readonly indices: Int32Array }
  | { readonly kind: "booleans"; readonly values: Uint8Array }
  | { readonly kind: "binaries"; readonly values: readonly Uint8Array[] }
  | { readonly kind: "numberLists"; readonly values: readonly (readonly (number | undefined)[])[] }
  | { readonly kind: "stringLists"; readonly values: readonly (readonly string[])[] };

/** A table by columns, in the order of its schema. */
export interface ColumnTable {
  readonly count: number;
  readonly columns: Readonly<Record<string, ColumnData>>;
}

export const KIND_OF_TYPE: Readonly<Record<ColumnType, ColumnData["kind"]>> = {
  string: "strings",
  integer: "numbers",
  long: "numbers",
  double: "numbers",
  timestamp: "numbers",
  boolean: "booleans",
  binary: "binaries",
  "array<double>": "numberLists",
  "array<string>": "stringLists",
};

/** Strings by dictionary, in order of first appearance; undefined becomes -1. */
export function stringColumn(values: Iterable<string | undefined>, count: number): ColumnData {
  const dictionary: string[] = [];
  const places = new Map<string, number>();
  const indices = new Int32Array(count);
  let row = 0;
  for (const value of values) {
    let place = value === undefined ? -1 : places.get(value);
    if (place === undefined && value !== undefined) {
      place = dictionary.push(value) - 1;
      places.set(value, place);
    }
    indices[row++] = place ?? -1;
  }
  return { kind: "strings", dictionary, indices };
}

export const numberColumn = (values: readonly number[]): ColumnData => ({
  kind: "numbers",
  values: Float64Array.from(values),
});

/** The number of a row; NaN where the column is not one of numbers. */
export function numberAt(column: ColumnData | undefined, row: number): number {
  return column?.kind === "numbers" ? (column.values[row] ?? NaN) : NaN;
}
