import type { PacketFault } from "./packet-guard.ts";

/** MQTT 3.1.1 §2.2.3: a remaining length has at most four bytes of seven bits each. */
const LENGTH_BYTES_MAX = 4;

const CONNECT = 0x10;

/** Memory that is taken at once for a packet of which only the beginning is there: more only as more comes. */
const HELD_BYTES_FIRST = 4_096;

/** First bytes that a connected client may send: its packet types with the flags of MQTT 3.1.1 §2.2.2. */
const FIRST_BYTES = new Uint8Array(256);
for (const first of [0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0]) FIRST_BYTES[first] = 1;
// PUBLISH: QoS 0 to 2, and DUP only above QoS 0 (§3.3.1).
for (const first of [0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3a, 0x3b, 0x3c, 0x3d]) FIRST_BYTES[first] = 1;

const NOTHING = Buffer.alloc(0);

export interface PacketLimits {
  /** Of the first packet, which is CONNECT: whoever sends it may be anybody. */
  readonly connectBytesMax: number;
  readonly packetBytesMax: number;
}

/**
 * Cuts a client's stream of bytes into whole MQTT packets, wherever the chunks are cut.
 *
 * `next` moves on to the next whole packet, which then lies in `bytes` from `start` to `end` until the next call. A
 * packet that is too long, of a wrong type or with a broken length is found at its header, before its body is kept.
 * The first packet must be CONNECT, and no later one may be. After a fault there are no more packets.
 */
export class PacketReader {
  readonly #limits: PacketLimits;
  #chunk: Buffer = NOTHING;
  #at = 0;
  /** A packet that is not all there yet; as long as it is, everything before `#at` is in it. */
  #held: Buffer = NOTHING;
  #heldBytes = 0;
  #isFirst = true;
  #headerBytes = 0;
  #totalBytes = 0;
  #fault: PacketFault | undefined;
  #bytes: Buffer = NOTHING;
  #start = 0;
  #bodyStart = 0;
  #end = 0;

  constructor(limits: PacketLimits) {
    this.#limits = limits;
  }

  get fault(): PacketFault | undefined {
    return this.#fault;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get start(): number {
    return this.#start;
  }

  /** Where the packet's variable header begins. */
  get bodyStart(): number {
    return this.#bodyStart;
  }

  get end(): number {
    return this.#end;
  }

  /** Whether everything that was added has been read; a packet may still lack its end. */
  get isRead(): boolean {
    return this.#at === this.#chunk.length;
  }

  /** Takes the next chunk; only when the one before is read. */
  add(chunk: Buffer): void {
    this.#chunk = this.isRead ? chunk : Buffer.concat([this.#chunk.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** Moves to the next whole packet; false where there is none yet, or a fault. */
  next(): boolean {
    if (this.#find()) return true;
    if (this.isRead) this.#letGo();
    return false;
  }

  #find(): boolean {
    if (this.#fault !== undefined) return false;
    if (this.#heldBytes > 0) return this.#nextHeld();
    const chunk = this.#chunk;
    if (this.#at >= chunk.length) return false;
    const isHeader = this.#readHeader(chunk, this.#at, chunk.length);
    if (this.#fault !== undefined) return false;
    if (!isHeader || this.#at + this.#totalBytes > chunk.length) {
      this.#hold(chunk.length - this.#at);
      return false;
    }
    this.#found(chunk, this.#at);
    this.#at = this.#end;
    return true;
  }

  /** A quiet connection does not keep its last chunk: with thousands of them, that is what collecting garbage costs. */
  #letGo(): void {
    this.#chunk = NOTHING;
    this.#at = 0;
    this.#bytes = NOTHING;
  }

  #found(bytes: Buffer, start: number): void {
    this.#isFirst = false;
    this.#bytes = bytes;
    this.#start = start;
    this.#bodyStart = start + this.#headerBytes;
    this.#end = start + this.#totalBytes;
  }

  /** Goes on with a packet whose beginning came before. */
  #nextHeld(): boolean {
    while (this.#totalBytes === 0) {
      if (this.isRead) return false;
      this.#hold(1);
      this.#readHeader(this.#held, 0, this.#heldBytes);
      if (this.#fault !== undefined) return false;
    }
    this.#hold(Math.min(this.#totalBytes - this.#heldBytes, this.#chunk.length - this.#at));
    if (this.#heldBytes < this.#totalBytes) return false;
    this.#found(this.#held, 0);
    this.#held = NOTHING;
    this.#heldBytes = 0;
    return true;
  }

  /** Moves bytes of the chunk to the packet that is not all there. Its memory doubles as it comes in. */
  #hold(bytes: number): void {
    const needed = this.#heldBytes + bytes;
    if (needed > this.#held.length) {
      const expected = this.#totalBytes > 0 ? this.#totalBytes : LENGTH_BYTES_MAX + 1;
      const room = Math.max(needed, Math.min(expected, Math.max(HELD_BYTES_FIRST, needed * 2)));
      const grown = Buffer.allocUnsafeSlow(room);
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    this.#chunk.copy(this.#held, this.#heldBytes, this.#at, this.#at + bytes);
    this.#heldBytes = needed;
    this.#at += bytes;
  }

  /** Whether the fixed header is all there; then its length and the packet's are known. */
  #readHeader(bytes: Buffer, start: number, end: number): boolean {
    const first = bytes[start] ?? 0;
    this.#totalBytes = 0;
    if (this.#isFirst ? first !== CONNECT : FIRST_BYTES[first] !== 1) {
      this.#fault = { kind: "malformed" };
      return false;
    }
    let length = 0;
    for (let i = 1; start + i < end; i++) {
      const byte = bytes[start + i] ?? 0;
      length += (byte & 0x7f) << (7 * (i - 1));
      if (byte < 0x80) {
        this.#headerBytes = 1 + i;
        this.#totalBytes = 1 + i + length;
        const { connectBytesMax, packetBytesMax } = this.#limits;
        if (this.#totalBytes > (this.#isFirst ? Math.min(connectBytesMax, packetBytesMax) : packetBytesMax))
          this.#fault = { kind: "too_large", bytes: this.#totalBytes };
        return true;
      }
      if (i === LENGTH_BYTES_MAX) {
        this.#fault = { kind: "malformed" };
        return false;
      }
    }
    return false;
  }
}
