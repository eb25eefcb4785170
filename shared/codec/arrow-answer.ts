import {
  Binary,
  Bool,
  type Data,
  type DataType,
  Field,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMicrosecond,
  type TypeMap,
  Utf8,
} from "apache-arrow";

/** The type of a column of an answer; every value may be absent. */
export type AnswerType =
  | "string"
  | "integer"
  | "long"
  | "double"
  | "boolean"
  | "binary"
  /** Whole microseconds since the epoch, UTC, as a bigint. */
  | "timestamp"
  | { readonly list: AnswerType };

export interface AnswerColumn {
  readonly name: string;
  readonly type: AnswerType;
}

function arrowType(type: AnswerType): DataType {
  switch (type) {
    case "string":
      return new Utf8();
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
      return new TimestampMicrosecond("UTC");
    default:
      return new List(new Field("element", arrowType(type.list), true));
  }
}

/**
 * An answer of any query as an uncompressed Arrow IPC stream, batch by batch: `long` and `timestamp` values are bigints,
 * `binary` is bytes, lists are arrays, null or undefined is no value.
 */
export class AnswerWriter {
  readonly #columns: readonly AnswerColumn[];
  readonly #types: readonly DataType[];
  readonly #schema: Schema<TypeMap>;
  readonly #writer = new RecordBatchStreamWriter();
  #batches = 0;

  constructor(columns: readonly AnswerColumn[]) {
    this.#columns = columns;
    this.#types = columns.map(({ type }) => arrowType(type));
    this.#schema = new Schema<TypeMap>(
      columns.map(({ name }, i) => new Field(name, this.#types[i] ?? new Utf8(), true)),
    );
  }

  /** Takes in a batch of rows. */
  write(rows: readonly (readonly unknown[])[]): void {
    const children = this.#columns.map(({ type }, column) =>
      dataOf(
        type,
        rows.map((row) => row[column]),
      ),
    );
    const type = new Struct(this.#schema.fields);
    const data = makeData({ type, length: rows.length, nullCount: 0, children });
    this.#writer.write(new RecordBatch(this.#schema, data));
    this.#batches++;
  }

  /** The whole stream. */
  finish(): Uint8Array {
    // A stream without a batch would have no schema.
    if (this.#batches === 0) this.write([]);
    this.#writer.finish();
    return this.#writer.toUint8Array(true);
  }
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;

/** Which values are there, as Arrow says it. */
function validity(values: readonly unknown[]): {
  length: number;
  nullCount: number;
  nullBitmap?: Uint8Array;
} {
  const nullCount = values.reduce<number>((count, value) => count + Number(isAbsent(value)), 0);
  if (nullCount === 0) return { length: values.length, nullCount };
  return { length: values.length, nullCount, nullBitmap: bitmap(values, (value) => !isAbsent(value)) };
}

/** A bit per value, least significant first, in whole 64-bit words. */
function bitmap(values: readonly unknown[], isSet: (value: unknown) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(values.length / 64) * 8);
  for (let row = 0; row < values.length; row++)
    if (isSet(values[row])) bits[row >> 3] = (bits[row >> 3] ?? 0) | (1 << (row & 7));
  return bits;
}

function dataOf(type: AnswerType, values: readonly unknown[]): Data {
  const there = validity(values);
  switch (type) {
    case "integer":
      return makeData({
        type: new Int32(),
        ...there,
        data: Int32Array.from(values, (value) => Number(value ?? 0)),
      });
    case "double":
      return makeData({
        type: new Float64(),
        ...there,
        data: Float64Array.from(values, (value) => Number(value ?? 0)),
      });
    case "long":
      return makeData({ type: new Int64(), ...there, data: bigints(values) });
    case "timestamp":
      return makeData({ type: new TimestampMicrosecond("UTC"), ...there, data: bigints(values) });
    case "boolean":
      return makeData({ type: new Bool(), ...there, data: bitmap(values, (value) => value === true) });
    case "string":
      return makeData({
        type: new Utf8(),
        ...there,
        ...joined(values.map((value) => Buffer.from(typeof value === "string" ? value : ""))),
      });
    case "binary":
      return makeData({
        type: new Binary(),
        ...there,
        ...joined(values.map((value) => (value instanceof Uint8Array ? value : new Uint8Array()))),
      });
    default: {
      const lists = values.map((value): readonly unknown[] => (Array.isArray(value) ? value : []));
      return makeData({
        type: new List(new Field("element", arrowType(type.list), true)),
        ...there,
        valueOffsets: offsetsOf(lists),
        child: dataOf(type.list, lists.flat()),
      });
    }
  }
}

const bigints = (values: readonly unknown[]): BigInt64Array =>
  BigInt64Array.from(values, (value) => (typeof value === "bigint" ? value : 0n));

function joined(values: readonly Uint8Array[]): { valueOffsets: Int32Array; data: Uint8Array } {
  return { valueOffsets: offsetsOf(values), data: new Uint8Array(Buffer.concat(values)) };
}

function offsetsOf(values: readonly { readonly length: number }[]): Int32Array {
  const offsets = new Int32Array(values.length + 1);
  for (const [row, { length }] of values.entries()) offsets[row + 1] = (offsets[row] ?? 0) + length;
  return offsets;
}
