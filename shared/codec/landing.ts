import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { StreamRows } from "../contract/rows.ts";
import type { Stream } from "../contract/stream.ts";
import { LANDING_COLUMNS } from "../contract/table.ts";
import { PipelineError } from "../runtime/errors.ts";
import { ArrowMismatch, decodeArrow, encodeArrow } from "./arrow-ipc.ts";
import type { ColumnTable } from "./columns.ts";
import { landingColumns } from "./landing-columns.ts";

/** Level 3: a seventh of gzip 6's time for 4 % more bytes on sensor data. */
const ZSTD_LEVEL = 3;

/** Most bytes that a landing object may unpack to: a hundred thousand refused payloads of the largest size kept. */
const UNPACKED_BYTES_MAX = 536_870_912;

/** Rows of a stream as a landing object: an uncompressed Arrow IPC stream, zstd over the whole. Deterministic. */
export function encodeLanding<S extends Stream>(stream: S, chunks: readonly StreamRows[S][]): Uint8Array {
  return encodeLandingTable(stream, landingColumns(stream, chunks));
}

/** The same from columns: what `decodeLanding` gave, with rows left out. */
export function encodeLandingTable(stream: Stream, table: ColumnTable): Uint8Array {
  return zstdCompressSync(encodeArrow(LANDING_COLUMNS[stream], table), {
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  });
}

/**
 * Reads a landing object.
 *
 * Throws PipelineError "landing.damaged" where the bytes are torn or flipped, "landing.foreign" where they are whole
 * but not what a gateway of this version writes.
 */
export function decodeLanding(stream: Stream, bytes: Uint8Array): ColumnTable {
  let unpacked: Uint8Array;
  try {
    unpacked = zstdDecompressSync(bytes, { maxOutputLength: UNPACKED_BYTES_MAX });
  } catch (cause) {
    throw new PipelineError("landing.damaged", `${bytes.length} bytes of ${stream} cannot be unpacked`, {
      cause,
    });
  }
  try {
    return decodeArrow(LANDING_COLUMNS[stream], unpacked);
  } catch (cause) {
    if (!(cause instanceof ArrowMismatch)) throw cause;
    throw new PipelineError(
      "landing.foreign",
      `the object is not ${stream} as gateways write them: ${cause.message}`,
      {
        cause,
        hint: "It was written by another program or another version; it is set aside with its reason.",
      },
    );
  }
}
