import { type Data, Dictionary, type Vector } from "apache-arrow";
import type { ColumnType } from "../contract/table.ts";
import { present } from "../runtime/assert.ts";
import { type ColumnData, KIND_OF_TYPE, stringColumn } from "./columns.ts";

/** What is wrong with bytes that are not the table that was expected. */
export class ArrowMismatch extends Error {}

/** A column of Arrow as one of ours. Throws ArrowMismatch where what lies in it cannot be what its header says. */
export function columnData(type: ColumnType, vector: Vector): ColumnData {
  switch (KIND_OF_TYPE[type]) {
    case "numbers":
      return numberValues(vector);
    case "strings":
      return stringValues(vector);
    case "booleans":
      return { kind: "booleans", values: booleanValues(vector) };
    case "binaries":
      for (const data of vector.data) checkOffsets(data, data.values as Uint8Array);
      return {
        kind: "binaries",
        values: rowsOf(vector).map((value) => Uint8Array.from(value as Uint8Array)),
      };
    case "numberLists":
      return { kind: "numberLists", values: vector.data.flatMap(numberLists) };
    case "stringLists":
      for (const data of vector.data) {
        const items = present(data.children[0], "a list has its items");
        checkOffsets(data, items);
        checkOffsets(items, items.values as Uint8Array);
      }
      return { kind: "stringLists", values: rowsOf(vector).map((list) => [...(list as Iterable<string>)]) };
  }
}

/**
 * Throws where lists or strings overlap or lie outside of what holds them: a few damaged numbers could otherwise
 * unpack to any size.
 */
function checkOffsets({ valueOffsets, length, offset }: Data, within: { readonly length: number }): void {
  if (length === 0) return;
  let last = 0;
  for (let i = offset; i <= offset + length; i++) {
    const at = valueOffsets[i] ?? -1;
    if (!(at >= last && at <= within.length))
      throw new ArrowMismatch(`value ${i} begins at ${at} of ${within.length}`);
    last = at;
  }
}

function booleanValues(vector: Vector): Uint8Array {
  const booleans = new Uint8Array(vector.length);
  let row = 0;
  for (const { values, offset, length } of vector.data) {
    const bits = values as Uint8Array;
    if (bits.length * 8 < offset + length)
      throw new ArrowMismatch(`${bits.length} bytes of bits for ${length} rows`);
    for (let i = offset; i < offset + length; i++) booleans[row++] = ((bits[i >> 3] ?? 0) >> (i & 7)) & 1;
  }
  return booleans;
}

const rowsOf = (vector: Vector): unknown[] =>
  Array.from({ length: vector.length }, (_, row) => vector.get(row));

/** One dictionary over all batches: each batch's distinct strings are looked up once, its rows only mapped. */
function stringValues(vector: Vector): ColumnData {
  if (!(vector.type instanceof Dictionary)) {
    for (const data of vector.data) checkOffsets(data, data.values as Uint8Array);
    return stringColumn(
      rowsOf(vector).map((value) => (value ?? undefined) as string | undefined),
      vector.length,
    );
  }
  const dictionary: string[] = [];
  const places = new Map<string, number>();
  const indices = new Int32Array(vector.length);
  let row = 0;
  for (const data of vector.data) {
    const held = present(data.dictionary, "a dictionary column has its dictionary");
    for (const part of held.data) checkOffsets(part, part.values as Uint8Array);
    const names = rowsOf(held);
    const mapped = names.map((name) => {
      const place = places.get(name as string) ?? dictionary.push(name as string) - 1;
      places.set(name as string, place);
      return place;
    });
    const own = data.values as Int32Array;
    if (own.length < data.length) throw new ArrowMismatch(`${own.length} indices for ${data.length} rows`);
    const hasNulls = data.nullCount > 0;
    for (let i = 0; i < data.length; i++, row++)
      indices[row] = hasNulls && !isValid(data, i) ? -1 : placeOf(mapped, Number(own[i]));
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
  checkOffsets(data, child);
  if ((child.values as Float64Array).length < child.length) throw new ArrowMismatch("a list lacks items");
  const { valueOffsets } = data;
  return Array.from({ length: data.length }, (_, row) => {
    const from = valueOffsets[row] ?? 0;
    const to = valueOffsets[row + 1] ?? 0;
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

const TWO_TO_32 = 4_294_967_296;

/** 64-bit integers as doubles, from their two halves. Beyond 2^53 the result is not exact, and is seen not to be a safe integer. */
function fromInt64(longs: BigInt64Array, target: Float64Array, at: number): void {
  const halves = new Int32Array(longs.buffer, longs.byteOffset, longs.length * 2);
  for (let i = 0; i < longs.length; i++)
    target[at + i] = (halves[i * 2 + 1] ?? 0) * TWO_TO_32 + ((halves[i * 2] ?? 0) >>> 0);
}
