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
  vectorFromArray,
  type DataType,
} from "apache-arrow";
import type { Column, ColumnType } from "../contract/table.ts";
import { assert, present } from "../runtime/assert.ts";
import { ArrowMismatch, columnData } from "./arrow-columns.ts";
import { checkArrowMetadata } from "./arrow-metadata.ts";
import { type ColumnData, type ColumnTable, KIND_OF_TYPE } from "./columns.ts";

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

/**
 * Reads an Arrow IPC stream that must have exactly these columns.
 *
 * Throws ArrowMismatch where the bytes are no Arrow, or a column has another name, type or a forbidden null.
 */
export function decodeArrow(schema: readonly Column[], bytes: Uint8Array): ColumnTable {
  const table = readTable(bytes);
  const names = table.schema.fields.map((field) => field.name);
  const expected = schema.map((column) => column.name);
  if (names.join() !== expected.join())
    throw new ArrowMismatch(`its columns are ${names.join(", ")}, expected ${expected.join(", ")}`);
  return columnsOf(schema, table, {});
}

/** What a column that is not there holds in every row. */
export type ColumnDefault = string | number | boolean | readonly [];

/** A table, and how its columns differ from those that were asked for. */
export interface DecodedColumns {
  readonly table: ColumnTable;
  /** Columns that were not there, and hold their default. */
  readonly absent: readonly string[];
  /** Columns that were there, and are left out. */
  readonly unknown: readonly string[];
}

/**
 * Reads an Arrow IPC stream of an older or a newer version of this schema, its columns in any order.
 *
 * A column that is not there is null where it may be, and holds its default where it has one; other columns must be
 * there. Throws ArrowMismatch as `decodeArrow` does.
 */
export function decodeArrowVersion(
  schema: readonly Column[],
  bytes: Uint8Array,
  defaults: Readonly<Record<string, ColumnDefault>>,
): DecodedColumns {
  const table = readTable(bytes);
  const names = table.schema.fields.map((field) => field.name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new ArrowMismatch(`it has two columns ${twice}`);
  const absent = schema.filter(({ name }) => !names.includes(name));
  if (absent.some(({ name, nullable }) => !nullable && defaults[name] === undefined))
    throw new ArrowMismatch(
      `its columns are ${names.join(", ")}, expected ${schema.map(({ name }) => name).join(", ")}`,
    );
  return {
    table: columnsOf(schema, table, defaults),
    absent: absent.map(({ name }) => name),
    unknown: names.filter((name) => !schema.some((column) => column.name === name)),
  };
}

/** Least bytes of a row: every table of ours has a 64-bit number in each. */
const ROW_BYTES_MIN = 8;

/** Most rows of one table: ten times the largest batch that a gateway makes. */
const ROWS_MAX = 10_000_000;

function readTable(bytes: Uint8Array): Table {
  let table: Table;
  try {
    checkArrowMetadata(bytes);
    table = tableFromIPC(bytes);
  } catch (cause) {
    throw new ArrowMismatch("not an Arrow IPC stream", { cause });
  }
  // The library reads bytes that are no stream at all as a table without columns.
  if (table.schema.fields.length === 0) throw new ArrowMismatch("not an Arrow IPC stream");
  // Damaged counts would make us allocate what they say.
  if (!(table.numRows * ROW_BYTES_MIN <= bytes.length))
    throw new ArrowMismatch(`${table.numRows} rows in ${bytes.length} bytes`);
  if (table.numRows > ROWS_MAX)
    throw new ArrowMismatch(`${table.numRows} rows, at most ${ROWS_MAX} are read`);
  return table;
}

function columnsOf(
  schema: readonly Column[],
  table: Table,
  defaults: Readonly<Record<string, ColumnDefault>>,
): ColumnTable {
  const columns: Record<string, ColumnData> = {};
  for (const [i, column] of schema.entries()) {
    const place = table.schema.fields.findIndex(({ name }) => name === column.name);
    const field = table.schema.fields[place];
    if (field === undefined) {
      columns[column.name] = constantData(column.type, defaults[column.name], table.numRows);
      continue;
    }
    if (typeName(field.type) !== typeName(arrowType(column.type, i)))
      throw new ArrowMismatch(`column ${column.name} is ${typeName(field.type)}, expected ${column.type}`);
    const vector = present(table.getChildAt(place), "a vector per field");
    if (vector.length !== table.numRows)
      throw new ArrowMismatch(`column ${column.name} has ${vector.length} rows of ${table.numRows}`);
    if (!column.nullable && vector.nullCount > 0) throw new ArrowMismatch(`column ${column.name} has nulls`);
    columns[column.name] = columnData(column.type, vector);
  }
  return { count: table.numRows, columns };
}

/** A column with the same in every row; undefined: null, which of our columns only strings can be. */
function constantData(type: ColumnType, value: ColumnDefault | undefined, count: number): ColumnData {
  switch (KIND_OF_TYPE[type]) {
    case "strings":
      return value === undefined
        ? { kind: "strings", dictionary: [], indices: new Int32Array(count).fill(-1) }
        : { kind: "strings", dictionary: [String(value)], indices: new Int32Array(count) };
    case "numbers":
      return { kind: "numbers", values: new Float64Array(count).fill(Number(value)) };
    case "booleans":
      return { kind: "booleans", values: new Uint8Array(count).fill(Number(value)) };
    case "binaries":
      return { kind: "binaries", values: Array.from({ length: count }, () => new Uint8Array()) };
    case "numberLists":
      return { kind: "numberLists", values: Array.from({ length: count }, () => []) };
    case "stringLists":
      return { kind: "stringLists", values: Array.from({ length: count }, () => []) };
  }
}

/** Types compared by what they hold: dictionary ids and index widths do not matter. */
const typeName = (type: DataType): string =>
  // oxlint-disable-next-line typescript/no-base-to-string -- every Arrow type has its own toString
  type instanceof Dictionary ? typeName(type.dictionary) : type.toString();
