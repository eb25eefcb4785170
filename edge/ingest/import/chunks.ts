import type { SpoolRow } from "@sluice/shared/contract/spool.ts";

/** Rows of one message: so many that a file goes in fast, so few that one is decoded in a step of the gateway. */
export const CHUNK_ROWS_MAX = 500;
export const CHUNK_BYTES_MAX = 196_608;

/** Rows of one message, as the JSON that goes into it. */
export interface Chunk {
  readonly number: number;
  /** The place of the first row in the file, from 1. */
  readonly firstRow: number;
  readonly rows: number;
  readonly body: Uint8Array;
  readonly isLast: boolean;
}

/** Cuts rows into chunks, always at the same places. The last one is marked; a file without rows gives one without. */
export async function* cutChunks(
  rows: AsyncIterable<SpoolRow | { readonly malformed: string }>,
): AsyncGenerator<Chunk> {
  const encoder = new TextEncoder();
  let texts: string[] = [];
  let bytes = 0;
  let number = 0;
  let firstRow = 1;
  const take = (isLast: boolean): Chunk => {
    const chunk = {
      number,
      firstRow,
      rows: texts.length,
      body: encoder.encode(`[${texts.join(",")}]`),
      isLast,
    };
    number += 1;
    firstRow += texts.length;
    texts = [];
    bytes = 0;
    return chunk;
  };
  for await (const row of rows) {
    const text = JSON.stringify(row);
    if (texts.length >= CHUNK_ROWS_MAX || (texts.length > 0 && bytes + text.length > CHUNK_BYTES_MAX))
      yield take(false);
    texts.push(text);
    bytes += text.length;
  }
  yield take(true);
}
