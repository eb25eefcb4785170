/** What is wrong with a stream of MQTT packets, seen from its fixed headers alone. */
export type PacketFault =
  | { readonly kind: "too_large"; readonly bytes: number }
  /** A remaining length of more than four bytes (MQTT 3.1.1 §2.2.3): the stream has no packet boundary any more. */
  | { readonly kind: "malformed" };

/** MQTT 3.1.1 §2.2.3: a remaining length has at most four bytes of seven bits each. */
const LENGTH_BYTES_MAX = 4;

/**
 * Reads the fixed headers of a stream of MQTT packets, so that one that is too long is found at its header.
 *
 * Keeps no bytes. Chunks may be cut anywhere. After a fault the stream is to be closed; more chunks are not looked at.
 */
export class PacketGuard {
  readonly #packetBytesMax: number;
  /** Bytes of the present packet's body that are still to come. */
  #bodyBytes = 0;
  /** Bytes of the remaining length read so far; -1 when the next byte is a packet's first. */
  #lengthBytes = -1;
  #length = 0;
  #fault: PacketFault | undefined;

  constructor(packetBytesMax: number) {
    this.#packetBytesMax = packetBytesMax;
  }

  /** The first fault in the stream up to the end of this chunk. */
  check(chunk: Uint8Array): PacketFault | undefined {
    for (let at = 0; at < chunk.length && this.#fault === undefined;) {
      if (this.#bodyBytes > 0) {
        const skipped = Math.min(this.#bodyBytes, chunk.length - at);
        this.#bodyBytes -= skipped;
        at += skipped;
      } else {
        this.#header(chunk[at] ?? 0);
        at++;
      }
    }
    return this.#fault;
  }

  #header(byte: number): void {
    if (this.#lengthBytes < 0) {
      this.#lengthBytes = 0;
      this.#length = 0;
      return;
    }
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes++;
    if (byte >= 0x80) {
      if (this.#lengthBytes === LENGTH_BYTES_MAX) this.#fault = { kind: "malformed" };
      return;
    }
    const bytes = 1 + this.#lengthBytes + this.#length;
    if (bytes > this.#packetBytesMax) this.#fault = { kind: "too_large", bytes };
    this.#bodyBytes = this.#length;
    this.#lengthBytes = -1;
  }
}
