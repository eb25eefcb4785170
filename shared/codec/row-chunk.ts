import { deserialize, serialize } from "node:v8";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { StreamRows } from "../contract/rows.ts";
import type { Stream } from "../contract/stream.ts";
import { PipelineError } from "../runtime/errors.ts";
import { decodeReadings, encodeReadings } from "./reading-chunk.ts";

/** The first byte of a chunk: a buffer that was written by another version says so and is not misread. */
const FORMAT = { objects: 4, readings: 5 } as const;

/** Level 1: an eighth of the bytes that flash must bear, for less time than writing them takes. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** Most bytes that a chunk may unpack to: a step's readings many times over. */
const UNPACKED_BYTES_MAX = 268_435_456;

/**
 * Rows between two steps of the gateway, as the buffer keeps them, with zstd over it and behind a version byte: readings
 * by column, rows of other streams as V8's structured clone.
 */
export function encodeChunk<S extends Stream>(stream: S, rows: StreamRows[S]): Uint8Array {
  const isBlock = "count" in rows;
  const body = zstdCompressSync(isBlock ? encodeReadings(rows) : serialize({ stream, rows }), ZSTD);
  const bytes = new Uint8Array(body.length + 1);
  bytes[0] = isBlock ? FORMAT.readings : FORMAT.objects;
  bytes.set(body, 1);
  return bytes;
}

/** Reads what `encodeChunk` wrote, and readings as they were written before. Throws PipelineError "buffer.chunk_unreadable". */
export function decodeChunk<S extends Stream>(stream: S, bytes: Uint8Array): StreamRows[S] {
  const format = bytes[0];
  if (format !== FORMAT.objects && format !== FORMAT.readings)
    throw unreadable(stream, `format ${format}, this program reads ${FORMAT.objects} and ${FORMAT.readings}`);
  let content: { stream: Stream; rows: StreamRows[S] };
  try {
    const body = zstdDecompressSync(bytes.subarray(1), { maxOutputLength: UNPACKED_BYTES_MAX });
    content = (
      format === FORMAT.readings ? { stream: "readings", rows: decodeReadings(body) } : deserialize(body)
    ) as typeof content;
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
