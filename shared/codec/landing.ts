import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { StreamRows } from "../contract/rows.ts";
import type { Stream } from "../contract/stream.ts";
import { LANDING_COLUMNS } from "../contract/table.ts";
import { PipelineError } from "../runtime/errors.ts";
import {
  type ColumnDefault,
  decodeArrow,
  decodeArrowVersion,
  type DecodedColumns,
  encodeArrow,
} from "./arrow-ipc.ts";
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
 * What columns hold that gateways of older versions do not land. A new column that may not be null needs a line here:
 * a fleet is never upgraded at once.
 */
const DEFAULTS: Readonly<Record<Stream, Readonly<Record<string, ColumnDefault>>>> = {
  readings: { withheld: false },
  features: { closed_by: "watermark", violations: [], withheld: false },
  predictions: { unlike_training: [] },
  labels: {},
  quarantine: {},
  events: {},
};

/**
 * Reads a landing object that this version wrote.
 *
 * Throws PipelineError "landing.damaged" where the bytes are torn or flipped, "landing.foreign" where they are whole
 * but not what a gateway of this version writes.
 */
export const decodeLanding = (stream: Stream, bytes: Uint8Array): ColumnTable =>
  decodeUnpacked(stream, unpack(stream, bytes), (unpacked) => decodeArrow(LANDING_COLUMNS[stream], unpacked));

/** The same of a gateway of any version: columns that it does not land have defaults, others than ours are named. */
export const decodeLandingVersion = (stream: Stream, bytes: Uint8Array): DecodedColumns =>
  decodeUnpacked(stream, unpack(stream, bytes), (unpacked) =>
    decodeArrowVersion(LANDING_COLUMNS[stream], unpacked, DEFAULTS[stream]),
  );

function unpack(stream: Stream, bytes: Uint8Array): Uint8Array {
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: UNPACKED_BYTES_MAX });
  } catch (cause) {
    const isTooLarge = cause instanceof Error && Reflect.get(cause, "code") === "ERR_BUFFER_TOO_LARGE";
    const what = isTooLarge ? `unpack to more than ${UNPACKED_BYTES_MAX}` : "cannot be unpacked";
    throw new PipelineError("landing.damaged", `${bytes.length} bytes of ${stream} ${what}`, { cause });
  }
}

/** Whatever the Arrow library trips over in bytes from outside is the bytes' fault. */
function decodeUnpacked<T>(stream: Stream, unpacked: Uint8Array, decode: (unpacked: Uint8Array) => T): T {
  try {
    return decode(unpacked);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PipelineError("landing.foreign", `the object is not ${stream} as gateways write them: ${why}`, {
      cause,
      hint: "It was written by another program or another version; it is set aside with its reason.",
    });
  }
}
