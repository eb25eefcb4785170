import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { malformed, type PayloadDecoder } from "./payload-decoder.ts";

/** How payloads are packed; "auto" looks at the first bytes of each. */
export const COMPRESSIONS = ["none", "gzip", "zstd", "auto"] as const;

export interface CompressionSettings {
  readonly compression: (typeof COMPRESSIONS)[number];
  readonly unpackedBytesMax: number;
}

/** The first bytes of gzip with its only method (RFC 1952 §2.3.1), and of a frame of zstd (RFC 8878 §3.1.1). */
const GZIP_MAGIC = [0x1f, 0x8b, 0x08];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

/** Unpacks payloads before another decoder reads them. */
export function withCompression(settings: CompressionSettings, decoder: PayloadDecoder): PayloadDecoder {
  if (settings.compression === "none") return decoder;
  return {
    ...decoder,
    decode: (payload, sink, context) => decoder.decode(unpack(payload, settings), sink, context),
  };
}

/** Throws "payload.malformed" where the payload is damaged or larger than allowed: no more than that is unpacked. */
function unpack(payload: Uint8Array, { compression, unpackedBytesMax }: CompressionSettings): Uint8Array {
  const packing = compression === "auto" ? packingOf(payload) : compression;
  if (packing === "none") return payload;
  const unpackSync = packing === "gzip" ? gunzipSync : zstdDecompressSync;
  let unpacked: Uint8Array;
  try {
    unpacked = unpackSync(payload, { maxOutputLength: unpackedBytesMax });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if ("code" in error && error.code === "ERR_BUFFER_TOO_LARGE")
      throw malformed(
        `The payload of ${payload.length} bytes unpacks by ${packing} to more than ${unpackedBytesMax} bytes.`,
      );
    throw malformed(`The payload of ${payload.length} bytes is not whole ${packing} data: ${error.message}.`);
  }
  if (unpacked.length === 0) throw malformed(`The payload unpacks by ${packing} to no bytes.`);
  return unpacked;
}

function packingOf(payload: Uint8Array): "none" | "gzip" | "zstd" {
  const begins = (magic: readonly number[]): boolean => magic.every((byte, place) => payload[place] === byte);
  if (begins(GZIP_MAGIC)) return "gzip";
  return begins(ZSTD_MAGIC) ? "zstd" : "none";
}
