import type { ColumnData, ColumnTable } from "@sluice/shared/codec/columns.ts";
import type { Column } from "@sluice/shared/contract/table.ts";
import { assert, present } from "@sluice/shared/runtime/assert.ts";

/** Rows of a table; `rows` undefined: all of them. */
export interface Part {
  readonly table: ColumnTable;
  readonly rows: Int32Array | undefined;
}

/** One table of the rows of several with the same columns, in the given order. */
export function gather(columns: readonly Column[], parts: readonly Part[]): ColumnTable {
  const count = parts.reduce((sum, part) => sum + countOf(part), 0);
  const gathered: Record<string, ColumnData> = {};
  for (const { name } of columns) {
    const sources = parts.map((part) => ({
      data: present(part.table.columns[name], `column ${name} was decoded`),
      rows: part.rows,
    }));
    gathered[name] = gatherColumn(sources, count);
  }
  return { count, columns: gathered };
}

const countOf = ({ table, rows }: Part): number => rows?.length ?? table.count;

interface Source {
  readonly data: ColumnData;
  readonly rows: Int32Array | undefined;
}

function gatherColumn(sources: readonly Source[], count: number): ColumnData {
  const kind = sources[0]?.data.kind ?? "numbers";
  switch (kind) {
    case "numbers":
      return { kind, values: gatherTyped(ofKind(sources, kind), new Float64Array(count)) };
    case "booleans":
      return { kind, values: gatherTyped(ofKind(sources, kind), new Uint8Array(count)) };
    case "strings":
      return gatherStrings(ofKind(sources, kind), count);
    case "binaries":
      return { kind, values: gatherArrays(ofKind(sources, kind)) };
    case "numberLists":
      return { kind, values: gatherArrays(ofKind(sources, kind)) };
    case "stringLists":
      return { kind, values: gatherArrays(ofKind(sources, kind)) };
  }
}

interface Of<K extends ColumnData["kind"]> {
  readonly data: Extract<ColumnData, { kind: K }>;
  readonly rows: Int32Array | undefined;
}

function ofKind<K extends ColumnData["kind"]>(sources: readonly Source[], kind: K): readonly Of<K>[] {
  return sources.map(({ data, rows }) => {
    assert(isOfKind(data, kind), `a column is of kind ${kind} in every part`);
    return { data, rows };
  });
}

const isOfKind = <K extends ColumnData["kind"]>(
  data: ColumnData,
  kind: K,
): data is Extract<ColumnData, { kind: K }> => data.kind === kind;

function gatherTyped<T extends Float64Array | Uint8Array>(
  sources: readonly { readonly data: { readonly values: T }; readonly rows: Int32Array | undefined }[],
  target: T,
): T {
  let row = 0;
  for (const { data, rows } of sources) {
    if (rows === undefined) {
      target.set(data.values, row);
      row += data.values.length;
    } else for (const source of rows) target[row++] = data.values[source] ?? NaN;
  }
  return target;
}

function gatherArrays<V>(
  sources: readonly {
    readonly data: { readonly values: readonly V[] };
    readonly rows: Int32Array | undefined;
  }[],
): readonly V[] {
  return sources.flatMap(({ data, rows }) =>
    rows === undefined ? data.values : Array.from(rows, (row) => present(data.values[row], "a row exists")),
  );
}

/** One dictionary over all parts: each part's distinct strings are looked up once, its rows only mapped. */
function gatherStrings(sources: readonly Of<"strings">[], count: number): ColumnData {
  const dictionary: string[] = [];
  const places = new Map<string, number>();
  const indices = new Int32Array(count);
  let row = 0;
  for (const { data, rows } of sources) {
    const mapped = Int32Array.from(data.dictionary, (text) => {
      const place = places.get(text) ?? dictionary.push(text) - 1;
      places.set(text, place);
      return place;
    });
    const own = data.indices;
    // Most often every part has the same few strings in the same order.
    const isSame = mapped.every((place, i) => place === i);
    if (rows === undefined && isSame) {
      indices.set(own, row);
      row += own.length;
      continue;
    }
    const length = rows?.length ?? own.length;
    // An index of -1 is outside the dictionary and stays -1.
    for (let i = 0; i < length; i++) indices[row++] = mapped[own[rows?.[i] ?? i] ?? -1] ?? -1;
  }
  return { kind: "strings", dictionary, indices };
}

/** A column that says the same in every row. */
export const constantColumn = (text: string, count: number): ColumnData => ({
  kind: "strings",
  dictionary: [text],
  indices: new Int32Array(count),
});
