import type { DuckDBConnection, DuckDBDataChunk, DuckDBResult } from "@duckdb/node-api";
import { assert } from "@sluice/shared/runtime/assert.ts";

/** Rows of one chunk of the engine's (its vector size). */
export const CHUNK_ROWS = 2_048;

type TypedArray = Float64Array | Int32Array | Uint8Array;

/** A chunk of an answer and the number of its first row. */
export interface NumberedChunk {
  readonly at: number;
  readonly rows: number;
  readonly chunk: DuckDBDataChunk;
}

/** The chunks of an answer, in order. */
export async function* chunksOf(result: DuckDBResult): AsyncGenerator<NumberedChunk> {
  let at = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    const rows = chunk?.rowCount ?? 0;
    if (chunk === null || rows === 0) return;
    yield { at, rows, chunk };
    at += rows;
  }
}

/**
 * The numbers of a column as they lie in the engine's memory: a value at a time costs twenty times as much.
 *
 * DOUBLE gives a Float64Array, INTEGER an Int32Array, UTINYINT a Uint8Array. Whether a value is NULL is not seen here,
 * so a query must not make any.
 */
function itemsOf(chunk: DuckDBDataChunk, column: number): TypedArray {
  // The library keeps the array to itself; what it gives out is one value at a time.
  const items: unknown = Reflect.get(chunk.getColumnVector(column), "items");
  assert(
    items instanceof Float64Array || items instanceof Int32Array || items instanceof Uint8Array,
    "the query makes doubles, integers or bytes",
  );
  return items;
}

export function doublesOf(chunk: DuckDBDataChunk, column: number): Float64Array {
  const items = itemsOf(chunk, column);
  assert(items instanceof Float64Array, `column ${column} of the query is DOUBLE`);
  return items;
}

export function integersOf(chunk: DuckDBDataChunk, column: number): Int32Array {
  const items = itemsOf(chunk, column);
  assert(items instanceof Int32Array, `column ${column} of the query is INTEGER`);
  return items;
}

/** Copies a column into an array, `step` places apart. */
export function copyNumbers(
  chunk: DuckDBDataChunk,
  column: number,
  to: {
    readonly target: Float64Array | Uint32Array | Int32Array | Uint8Array;
    readonly at: number;
    readonly step?: number;
  },
): void {
  const { target, at, step = 1 } = to;
  const items = itemsOf(chunk, column);
  if (step === 1) target.set(items, at);
  else
    for (let row = 0, place = at; row < items.length; row++, place += step) target[place] = items[row] ?? NaN;
}

/** Copies a column of texts. Equal ones become one string, so that a million rows keep a few. */
export function copyTexts(
  chunk: DuckDBDataChunk,
  column: number,
  to: { readonly target: string[]; readonly at: number; readonly names: Map<string, string> },
): void {
  const vector = chunk.getColumnVector(column);
  for (let row = 0; row < chunk.rowCount; row++) {
    const text = String(vector.getItem(row));
    const known = to.names.get(text);
    if (known === undefined) to.names.set(text, text);
    to.target[to.at + row] = known ?? text;
  }
}

/** Writes numbers into the columns of a chunk of that many rows, which is then ready to be appended. */
export function writeNumbers(chunk: DuckDBDataChunk, columns: readonly TypedArray[]): void {
  for (const [column, values] of columns.entries()) {
    const items = itemsOf(chunk, column);
    items.set(values);
    chunk.getColumnVector(column).flush();
  }
}

/** The numbers of the first row of an answer. */
export async function numbersOf(connection: DuckDBConnection, query: string): Promise<readonly number[]> {
  const reader = await connection.runAndReadAll(query);
  return (reader.getRows()[0] ?? []).map(Number);
}
