import { deserialize, serialize } from "node:v8";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { StreamRows } from "../contract/rows.ts";
import type { Stream } from "../contract/stream.ts";
import { PipelineError } from "../runtime/errors.ts";

/** The first byte of a chunk: a buffer that was written by another version says so and is not misread. */
const FORMAT = 4;

/** Level 1: an eighth of the bytes that flash must bear, for less time than writing them takes. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** Most bytes that a chunk may unpack to: a step's readings many times over. */
const UNPACKED_BYTES_MAX = 268_435_456;

/** Rows between two steps of the gateway, as the buffer keeps them: V8's structured clone, zstd over it, behind a version byte. */
export function encodeChunk<S extends Stream>(stream: S, rows: StreamRows[S]): Uint8Array {
  const body = zstdCompressSync(serialize({ stream, rows }), ZSTD);
  const bytes = new Uint8Array(body.length + 1);
  bytes[0] = FORMAT;
  bytes.set(body, 1);
  return bytes;
}

/** Reads what `encodeChunk` wrote. Throws PipelineError "buffer.chunk_unreadable". */
export function decodeChunk<S extends Stream>(stream: S, bytes: Uint8Array): StreamRows[S] {
  if (bytes[0] !== FORMAT) throw unreadable(stream, `format ${bytes[0]}, this program reads ${FORMAT}`);
  let content: { stream: S; rows: StreamRows[S] };
  try {
    const body = zstdDecompressSync(bytes.subarray(1), { maxOutputLength: UNPACKED_BYTES_MAX });
    content = deserialize(body) as typeof content;
  } catch (cause) {
    throw unreadable(stream, "damaged", cause);
  }
  if (content.stream !== stream) throw unreadable(stream, `it holds ${content.stream}`);
  return content.rows;
}

export function rowCount(rows: StreamRows[Stream]): number {
  return "count" in rows ? rows.count : rows.length;
}

function unreadable(stream: Stream, why: string, cause?: unknown): PipelineError {
  return new PipelineError("buffer.chunk_unreadable", `a chunk of ${stream} cannot be read: ${why}`, {
    cause,
    hint: "Run the version of the gateway that wrote the buffer until it is drained.",
  });
}
