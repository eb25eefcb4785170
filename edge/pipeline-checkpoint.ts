import { DefaultSerializer, deserialize } from "node:v8";
import { crc32 } from "node:zlib";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { NewestState } from "./features/newest-vectors.ts";
import type { DecoderState } from "./decode/decoder.ts";

/** What the stages remember of the messages up to an offset. */
export interface PipelineCheckpoint {
  readonly decoder: DecoderState;
  /** As `FeatureStage.checkpoint` made it. */
  readonly features: Uint8Array;
  readonly newest: NewestState;
}

/** The first byte: a checkpoint of another version says so and is not misread. */
const FORMAT = 4;
const HEADER_BYTES = 5;

/** Format u8, CRC-32 u32 little-endian, then V8's structured clone. */
export function encodeCheckpoint(checkpoint: PipelineCheckpoint): Uint8Array {
  const serializer = new DefaultSerializer();
  // Room before the clone, so that megabytes need not be moved to make it.
  serializer.writeRawBytes(new Uint8Array(HEADER_BYTES));
  serializer.writeHeader();
  // The megabytes last, so that nothing written after them makes the buffer grow.
  const { decoder, newest, features } = checkpoint;
  serializer.writeValue({ decoder, newest, features });
  const bytes = serializer.releaseBuffer();
  bytes.writeUInt8(FORMAT, 0);
  bytes.writeUInt32LE(crc32(bytes.subarray(HEADER_BYTES)), 1);
  return bytes;
}

/** Throws PipelineError "buffer.checkpoint_unreadable". */
export function decodeCheckpoint(bytes: Uint8Array): PipelineCheckpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES || view.getUint8(0) !== FORMAT)
    throw unreadable(`it has format ${bytes[0]}, this program reads ${FORMAT}`);
  // Copied so that typed arrays inside come out aligned.
  const body = Buffer.from(bytes.subarray(HEADER_BYTES));
  if (crc32(body) !== view.getUint32(1, true)) throw unreadable("its checksum is wrong");
  return deserialize(body) as PipelineCheckpoint;
}

const unreadable = (why: string): PipelineError =>
  new PipelineError("buffer.checkpoint_unreadable", `the checkpoint of the stages cannot be read: ${why}`, {
    hint: "Run the version of the gateway that wrote it until the buffer is drained.",
  });
