import {
  Binary,
  Bool,
  type Data,
  Dictionary,
  Field,
  Float64,
  Int32,
  Int64,
  List,
  makeBuilder,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  type Table,
  tableFromIPC,
  TimestampMicrosecond,
  type TypeMap,
  Utf8,
  type Vector,
  vectorFromArray,
  type DataType,
} from "apache-arrow";
import type { Column, ColumnType } from "../contract/table.ts";
import { assert, present } from "../runtime/assert.ts";
import { type ColumnData, type ColumnTable, KIND_OF_TYPE, stringColumn } from "./columns.ts";

/** The time zone of every timestamp in the lake. */
const UTC = "UTC";

/**
 * The Arrow type of each column type; strings are dictionary-encoded with 32-bit indices.
 *
 * The dictionary's id is the column's position: the library's own counter would make the bytes depend on history.
 */
function arrowType(type: ColumnType, position: number): DataType {
  switch (type) {
    case "string":
      return new Dictionary(new Utf8(), new Int32(), position);
    case "integer":
      return new Int32();
    case "long":
      return new Int64();
    case "double":
      return new Float64();
    case "boolean":
      return new Bool();
    case "binary":
      return new Binary();
    case "timestamp":
      return new TimestampMicrosecond(UTC);
    case "array<double>":
      return new List(new Field("element", new Float64(), true));
    case "array<string>":
      return new List(new Field("element", new Utf8(), true));
  }
}

/**
 * A table as an Arrow IPC stream, uncompressed: other readers reject the bodies that this library compresses.
 *
 * The same table gives the same bytes. Throws where a column of the schema is absent or of another kind.
 */
export function encodeArrow(schema: readonly Column[], table: ColumnTable): Uint8Array {
  const vectors = schema.map((column, position) => {
    const data = present(table.columns[column.name], `column ${column.name} is built`);
    assert(data.kind === KIND_OF_TYPE[column.type], `column ${column.name} holds ${column.type}`);
    assert(rowsIn(data) === table.count, `column ${column.name} has a value for each row`);
    const encoded = arrowData(column.type, data, { count: table.count, position });
    assert(column.nullable || encoded.nullCount === 0, `column ${column.name} has no nulls`);
    return encoded;
  });
  const fields = schema.map(
    (column, i) => new Field(column.name, present(vectors[i], "a vector per column").type, column.nullable),
  );
  const arrowSchema = new Schema<TypeMap>(fields);
  const struct = makeData({ type: new Struct(fields), length: table.count, nullCount: 0, children: vectors });
  const writer = new RecordBatchStreamWriter();
  writer.write(new RecordBatch(arrowSchema, struct));
  writer.finish();
  return writer.toUint8Array(true);
}

const rowsIn = (data: ColumnData): number =>
  data.kind === "strings" ? data.indices.length : data.values.length;

function arrowData(type: ColumnType, data: ColumnData, place: { count: number; position: number }): Data {
  switch (data.kind) {
    case "numbers":
      return numberData(type, data.values);
    case "strings":
      return stringData(data, place);
    case "booleans":
      return booleanData(data.values);
    case "binaries":
      return present(
        vectorFromArray([...data.values], arrowType(type, place.position)).data[0],
        "one chunk of a column",
      );
    case "numberLists":
    case "stringLists": {
      const builder = makeBuilder({ type: arrowType(type, place.position), nullValues: [null, undefined] });
      for (const list of data.values) builder.append([...list].map((value) => value ?? null));
      return builder.finish().flush();
    }
  }
}

/** Bytes of a bitmap: whole 64-bit words, as other readers like them. */
const bitmapBytes = (count: number): number => Math.ceil(count / 64) * 8;

/** Sets bit `row` of a bitmap, least significant first. */
function setBit(bits: Uint8Array, row: number): void {
  bits[row >> 3] = (bits[row >> 3] ?? 0) | (1 << (row & 7));
}

function booleanData(values: Uint8Array): Data {
  const { length } = values;
  const bits = new Uint8Array(bitmapBytes(length));
  for (let row = 0; row < length; row++) if (values[row] !== 0) setBit(bits, row);
  return makeData({ type: new Bool(), length, nullCount: 0, data: bits });
}

function numberData(type: ColumnType, values: Float64Array): Data {
  const { length } = values;
  if (type === "double") return makeData({ type: new Float64(), length, nullCount: 0, data: values });
  if (type === "integer") {
    const integers = Int32Array.from(values);
    const wrong = values.findIndex((value, row) => value !== integers[row]);
    assert(wrong === -1, `${values[wrong]} is a 32-bit whole number`);
    return makeData({ type: new Int32(), length, nullCount: 0, data: integers });
  }
  const longs = toInt64(values);
  return type === "long"
    ? makeData({ type: new Int64(), length, nullCount: 0, data: longs })
    : makeData({ type: new TimestampMicrosecond(UTC), length, nullCount: 0, data: longs });
}

const TWO_TO_32 = 4_294_967_296;

/** Whole numbers as 64-bit integers, written as two halves: a BigInt per value costs ten times as much. */
function toInt64(values: Float64Array): BigInt64Array {
  const longs = new BigInt64Array(values.length);
  const halves = new Int32Array(longs.buffer);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? 0;
    if (!Number.isSafeInteger(value)) throw new Error(`broken promise: ${value} is an exact whole number`);
    halves[row * 2] = value;
    halves[row * 2 + 1] = Math.floor(value / TWO_TO_32);
  }
  return longs;
}

/** The reverse. Beyond 2^53 the result is not exact, and is seen not to be a safe integer. */
function fromInt64(longs: BigInt64Array, target: Float64Array, at: number): void {
  const halves = new Int32Array(longs.buffer, longs.byteOffset, longs.length * 2);
  for (let i = 0; i < longs.length; i++)
    target[at + i] = (halves[i * 2 + 1] ?? 0) * TWO_TO_32 + ((halves[i * 2] ?? 0) >>> 0);
}

function stringData(
  { dictionary, indices }: ColumnData & { kind: "strings" },
  { count, position }: { readonly count: number; readonly position: number },
): Data {
  let nullCount = 0;
  for (let row = 0; row < count; row++) if ((indices[row] ?? -1) < 0) nullCount++;
  const bits = new Uint8Array(bitmapBytes(count));
  if (nullCount > 0) for (let row = 0; row < count; row++) if ((indices[row] ?? -1) >= 0) setBit(bits, row);
  return makeData({
    type: new Dictionary(new Utf8(), new Int32(), position),
    length: count,
    nullCount,
    data: nullCount === 0 ? indices : indices.map((index) => Math.max(0, index)),
    ...(nullCount === 0 ? {} : { nullBitmap: bits }),
    dictionary: vectorFromArray(dictionary.length === 0 ? [""] : [...dictionary], new Utf8()),
  });
}

/** What is wrong with bytes that are not the table that was expected. */
export class ArrowMismatch extends Error {}

/**
 * Reads an Arrow IPC stream that must have exactly these columns.
 *
 * Throws ArrowMismatch where the bytes are no Arrow, or a column has another name, type or a forbidden null.
 */
export function decodeArrow(schema: readonly Column[], bytes: Uint8Array): ColumnTable {
  let table: Table;
  try {
    table = tableFromIPC(bytes);
  } catch (cause) {
    throw new ArrowMismatch("not an Arrow IPC stream", { cause });
  }
  // The library reads bytes that are no stream at all as a table without columns.
  if (table.schema.fields.length === 0) throw new ArrowMismatch("not an Arrow IPC stream");
  const names = table.schema.fields.map((field) => field.name);
  const expected = schema.map((column) => column.name);
  if (names.join() !== expected.join())
    throw new ArrowMismatch(`its columns are ${names.join(", ")}, expected ${expected.join(", ")}`);
  const columns: Record<string, ColumnData> = {};
  for (const [i, column] of schema.entries()) {
    const field = present(table.schema.fields[i], "a field per column");
    if (typeName(field.type) !== typeName(arrowType(column.type, i)))
      throw new ArrowMismatch(`column ${column.name} is ${typeName(field.type)}, expected ${column.type}`);
    const vector = present(table.getChildAt(i), "a vector per field");
    if (!column.nullable && vector.nullCount > 0) throw new ArrowMismatch(`column ${column.name} has nulls`);
    columns[column.name] = columnData(column.type, vector);
  }
  return { count: table.numRows, columns };
}

/** Types compared by what they hold: dictionary ids and index widths do not matter. */
const typeName = (type: DataType): string =>
  // oxlint-disable-next-line typescript/no-base-to-string -- every Arrow type has its own toString
  type instanceof Dictionary ? typeName(type.dictionary) : type.toString();

function columnData(type: ColumnType, vector: Vector): ColumnData {
  switch (KIND_OF_TYPE[type]) {
    case "numbers":
      return numberValues(vector);
    case "strings":
      return stringValues(vector);
    case "booleans":
      return { kind: "booleans", values: Uint8Array.from(rowsOf(vector), (value) => Number(value)) };
    case "binaries":
      return {
        kind: "binaries",
        values: rowsOf(vector).map((value) => Uint8Array.from(value as Uint8Array)),
      };
    case "numberLists":
      return { kind: "numberLists", values: vector.data.flatMap(numberLists) };
    case "stringLists":
      return { kind: "stringLists", values: rowsOf(vector).map((list) => [...(list as Iterable<string>)]) };
  }
}

const rowsOf = (vector: Vector): unknown[] =>
  Array.from({ length: vector.length }, (_, row) => vector.get(row));

/** One dictionary over all batches: each batch's distinct strings are looked up once, its rows only mapped. */
function stringValues(vector: Vector): ColumnData {
  if (!(vector.type instanceof Dictionary))
    return stringColumn(
      rowsOf(vector).map((value) => (value ?? undefined) as string | undefined),
      vector.length,
    );
  const dictionary: string[] = [];
  const places = new Map<string, number>();
  const indices = new Int32Array(vector.length);
  let row = 0;
  for (const data of vector.data) {
    const names = rowsOf(present(data.dictionary, "a dictionary column has its dictionary"));
    const mapped = names.map((name) => {
      const place = places.get(name as string) ?? dictionary.push(name as string) - 1;
      places.set(name as string, place);
      return place;
    });
    for (let i = 0; i < data.length; i++, row++)
      indices[row] = isValid(data, i) ? placeOf(mapped, Number(data.values[i])) : -1;
  }
  return { kind: "strings", dictionary, indices };
}

function placeOf(mapped: readonly number[], index: number): number {
  const place = mapped[index];
  if (place === undefined) throw new ArrowMismatch(`index ${index} is not in the dictionary`);
  return place;
}

const isValid = (data: Data, i: number): boolean =>
  data.nullCount === 0 ||
  (((data.nullBitmap[(data.offset + i) >> 3] ?? 0) >> ((data.offset + i) & 7)) & 1) === 1;

function numberLists(data: Data): readonly (readonly (number | undefined)[])[] {
  const child = present(data.children[0], "a list has its items");
  const { valueOffsets } = data;
  return Array.from({ length: data.length }, (_, row) => {
    const from = valueOffsets[row] ?? -1;
    const to = valueOffsets[row + 1] ?? -1;
    if (from < 0 || to < from || to > child.length) throw new ArrowMismatch(`list ${row} has no such items`);
    const list: (number | undefined)[] = [];
    for (let i = from; i < to; i++)
      list.push(isValid(child, i) ? (child.values as Float64Array)[i] : undefined);
    return list;
  });
}

function numberValues(vector: Vector): ColumnData {
  const values = new Float64Array(vector.length);
  let row = 0;
  for (const { values: chunk, length } of vector.data) {
    const typed = chunk as Float64Array | Int32Array | BigInt64Array;
    if (typed.length < length) throw new ArrowMismatch(`${typed.length} values for ${length} rows`);
    if (typed instanceof BigInt64Array) fromInt64(typed.subarray(0, length), values, row);
    else values.set(typed.subarray(0, length), row);
    row += length;
  }
  return { kind: "numbers", values };
}
