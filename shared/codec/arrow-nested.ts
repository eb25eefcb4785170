import {
  Bool,
  type Data,
  type DataType,
  Field,
  Int32,
  Int64,
  List,
  makeData,
  Map_,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  tableFromIPC,
  type TypeMap,
  Utf8,
  Vector,
} from "apache-arrow";
import { assert, present } from "../runtime/assert.ts";

/** The type of a value in a table of nested rows; everything may be absent, but for the keys of maps. */
export type NestedType =
  | "string"
  | "integer"
  | "long"
  | "boolean"
  | { readonly list: NestedType }
  /** From strings. */
  | { readonly map: NestedType }
  | { readonly struct: NestedFields };

export interface NestedFields {
  readonly [name: string]: NestedType;
}

/** A value as JSON has it: objects for structs and maps; absent where it is undefined or null. */
export type NestedRow = Readonly<Record<string, unknown>>;

/** Rows of nested values as an uncompressed Arrow IPC stream. The same rows give the same bytes. */
export function encodeNested(fields: NestedFields, rows: readonly NestedRow[]): Uint8Array {
  const struct = structData(fields, rows);
  const writer = new RecordBatchStreamWriter();
  writer.write(new RecordBatch(new Schema<TypeMap>(fieldsOf(fields)), struct));
  writer.finish();
  return writer.toUint8Array(true);
}

const fieldsOf = (fields: NestedFields): Field[] =>
  Object.entries(fields).map(([name, type]) => new Field(name, arrowType(type), true));

function arrowType(type: NestedType): DataType {
  if (type === "string") return new Utf8();
  if (type === "integer") return new Int32();
  if (type === "long") return new Int64();
  if (type === "boolean") return new Bool();
  if ("list" in type) return new List(new Field("element", arrowType(type.list), true));
  if ("struct" in type) return new Struct(fieldsOf(type.struct));
  return new Map_(new Field("key_value", entryType(type.map), false));
}

const entryType = (value: NestedType): Struct<{ key: Utf8; value: DataType }> =>
  new Struct([new Field("key", new Utf8(), false), new Field("value", arrowType(value), true)]);

function dataOf(type: NestedType, values: readonly unknown[]): Data {
  if (type === "string") return stringData(values);
  if (type === "integer" || type === "long" || type === "boolean") return flatData(type, values);
  if ("list" in type) return listData(type, values);
  if ("map" in type) return mapData(type, values);
  return structData(type.struct, values);
}

/** Which values are there, as Arrow says it. */
function validity(values: readonly unknown[]): {
  readonly length: number;
  readonly nullCount: number;
  readonly nullBitmap?: Uint8Array;
} {
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 64) * 8);
  let nullCount = 0;
  for (let row = 0; row < values.length; row++)
    if (values[row] === undefined || values[row] === null) nullCount++;
    else setBit(nullBitmap, row);
  return { length: values.length, nullCount, ...(nullCount === 0 ? {} : { nullBitmap }) };
}

function setBit(bits: Uint8Array, row: number): void {
  bits[row >> 3] = (bits[row >> 3] ?? 0) | (1 << (row & 7));
}

function flatData(type: "integer" | "long" | "boolean", values: readonly unknown[]): Data {
  const length = values.length;
  if (type === "boolean") {
    const data = new Uint8Array(Math.ceil(length / 64) * 8);
    for (let row = 0; row < length; row++) if (values[row] === true) setBit(data, row);
    return makeData({ type: new Bool(), ...validity(values), data });
  }
  if (type === "integer")
    return makeData({
      type: new Int32(),
      ...validity(values),
      data: Int32Array.from(values, (value) => (value === undefined || value === null ? 0 : Number(value))),
    });
  const data = new BigInt64Array(length);
  for (let row = 0; row < length; row++) {
    const value = values[row] ?? 0;
    if (!Number.isSafeInteger(value)) throw new Error("broken promise: a long is an exact whole number");
    data[row] = BigInt(Number(value));
  }
  return makeData({ type: new Int64(), ...validity(values), data });
}

function stringData(values: readonly unknown[]): Data {
  const texts = values.map((value) => (typeof value === "string" ? value : ""));
  const valueOffsets = new Int32Array(values.length + 1);
  let bytes = 0;
  for (let row = 0; row < texts.length; row++)
    valueOffsets[row + 1] = bytes += Buffer.byteLength(texts[row] ?? "");
  const data = new Uint8Array(Buffer.from(texts.join("")));
  return makeData({ type: new Utf8(), ...validity(values), valueOffsets, data });
}

const offsetsOf = (lists: readonly (readonly unknown[])[]): Int32Array => {
  const valueOffsets = new Int32Array(lists.length + 1);
  let items = 0;
  for (const [row, list] of lists.entries()) valueOffsets[row + 1] = items += list.length;
  return valueOffsets;
};

function listData(type: { readonly list: NestedType }, values: readonly unknown[]): Data {
  const lists = values.map((value): readonly unknown[] => (Array.isArray(value) ? value : []));
  return makeData({
    type: new List(new Field("element", arrowType(type.list), true)),
    ...validity(values),
    valueOffsets: offsetsOf(lists),
    child: dataOf(type.list, lists.flat()),
  });
}

function mapData(type: { readonly map: NestedType }, values: readonly unknown[]): Data {
  const maps = values.map((value) => (isObject(value) ? Object.entries(value) : []));
  const entries = maps.flat();
  const entry = entryType(type.map);
  return makeData({
    type: new Map_<Utf8, DataType>(new Field("key_value", entry, false)),
    ...validity(values),
    valueOffsets: offsetsOf(maps),
    child: makeData({
      type: entry,
      length: entries.length,
      nullCount: 0,
      children: [
        stringData(entries.map(([key]) => key)),
        dataOf(
          type.map,
          entries.map(([, value]: readonly [string, unknown]) => value),
        ),
      ],
    }),
  });
}

function structData(fields: NestedFields, values: readonly unknown[]): Data<Struct> {
  return makeData({
    type: new Struct(fieldsOf(fields)),
    ...validity(values),
    children: Object.entries(fields).map(([name, type]) =>
      dataOf(
        type,
        values.map((value): unknown => (isObject(value) ? value[name] : undefined)),
      ),
    ),
  });
}

const isObject = (value: unknown): value is NestedRow => typeof value === "object" && value !== null;

/**
 * Rows of an Arrow IPC stream, whoever wrote it: of its columns those that are named, with all that these hold. What
 * is absent is left out, but for the values of maps.
 *
 * Throws where the bytes are no Arrow or a whole number is not exact.
 */
export function decodeNested(columns: readonly string[], bytes: Uint8Array): readonly NestedRow[] {
  const table = tableFromIPC(bytes);
  const rows = Array.from({ length: table.numRows }, (): Record<string, unknown> => ({}));
  for (const name of columns) {
    const values = (table.getChild(name)?.data ?? []).flatMap(valuesOf);
    for (let row = 0; row < values.length; row++)
      if (values[row] !== undefined) present(rows[row], "a row per value")[name] = values[row];
  }
  return rows;
}

/** The values of a chunk; undefined where there is none. */
function valuesOf(data: Data): unknown[] {
  const read = readerOf(data);
  return Array.from({ length: data.length }, (_, row) => (data.getValid(row) ? read(row) : undefined));
}

function readerOf(data: Data): (row: number) => unknown {
  const { type, valueOffsets } = data;
  const start = (row: number): number => valueOffsets[row] ?? 0;
  if (type instanceof Utf8) {
    const bytes = Buffer.from(data.values.buffer, data.values.byteOffset, data.values.byteLength);
    return (row) => bytes.toString("utf8", start(row), start(row + 1));
  }
  if (type instanceof Map_) {
    const [keys = [], values = []] = present(data.children[0], "a map has its entries").children.map(
      valuesOf,
    );
    return (row) =>
      Object.fromEntries(
        keys.slice(start(row), start(row + 1)).map((key, i) => [key, values[start(row) + i] ?? null]),
      );
  }
  const children = data.children.map(valuesOf);
  if (type instanceof List) return (row) => children[0]?.slice(start(row), start(row + 1));
  if (type instanceof Struct) {
    const names = type.children.map(({ name }) => name);
    return (row) => structAt(names, children, row);
  }
  const vector = new Vector([data]);
  return (row) => exact(vector.get(row));
}

function structAt(names: readonly string[], columns: readonly unknown[][], row: number): NestedRow {
  const struct: Record<string, unknown> = {};
  for (let i = 0; i < names.length; i++) {
    const value = columns[i]?.[row];
    if (value !== undefined) struct[names[i] ?? ""] = value;
  }
  return struct;
}

function exact(value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  assert(BigInt(Number(value)) === value, `${value} is an exact whole number`);
  return Number(value);
}
