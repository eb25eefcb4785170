import { crc32 } from "node:zlib";
import { FORMAT, HEADER_BYTES, RECORD_BYTES, RepeatedText, damagedGroup } from "./message-group.ts";

/** What the redelivery filter must know of a message. */
export interface MessageKey {
  readonly client: string;
  readonly packetId: number;
  readonly qos: number;
  readonly dup: boolean;
  /** As `messageHash` makes it of topic and payload. */
  readonly hash: number;
}

/**
 * The keys of a group's messages, in order, without an object or a text per message: each is good until the next one is
 * asked for. Throws PipelineError "buffer.group_damaged" on torn or hostile bytes.
 */
export class GroupScan implements MessageKey {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #clients: RepeatedText;
  readonly count: number;
  #next = HEADER_BYTES;
  #seen = 0;
  packetId = 0;
  qos = 0;
  dup = false;
  #clientAt = 0;
  #topicAt = 0;
  #payloadBytes = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < HEADER_BYTES || this.#view.getUint8(0) !== FORMAT) throw damagedGroup("no header");
    this.count = this.#view.getUint32(4, true);
    if (this.count > (bytes.length - HEADER_BYTES) / RECORD_BYTES)
      throw damagedGroup(`${this.count} messages do not fit`);
    this.#clients = new RepeatedText(bytes);
  }

  /** Goes on to the next message; false behind the last one. */
  next(): boolean {
    const [view, at] = [this.#view, this.#next];
    if (this.#seen === this.count) {
      if (at !== this.#bytes.length) throw damagedGroup(`${this.#bytes.length - at} bytes too many`);
      return false;
    }
    if (at + RECORD_BYTES > this.#bytes.length) throw damagedGroup(`message ${this.#seen} is cut off`);
    const flags = view.getUint8(at);
    this.qos = flags & 3;
    this.dup = (flags & 4) !== 0;
    this.packetId = view.getUint16(at + 2, true);
    this.#clientAt = at + RECORD_BYTES;
    this.#topicAt = this.#clientAt + view.getUint16(at + 4, true);
    this.#payloadBytes = view.getUint32(at + 8, true);
    this.#next = this.#topicAt + view.getUint16(at + 6, true) + this.#payloadBytes;
    if (this.#next > this.#bytes.length || this.qos === 3)
      throw damagedGroup(`message ${this.#seen} is cut off`);
    this.#seen++;
    return true;
  }

  get client(): string {
    return this.#clients.at(this.#clientAt, this.#topicAt);
  }

  /** Topic and payload stand side by side: one sum over both is the sum of the one, gone on with by the other. */
  get hash(): number {
    return hashOf(crc32(this.#bytes.subarray(this.#topicAt, this.#next)), this.#payloadBytes);
  }
}

/** How many messages a group has, and whether one of them is marked as sent again. Throws as `GroupScan` does. */
export function lookThrough(group: Uint8Array): { readonly count: number; readonly hasRepeats: boolean } {
  const scan = new GroupScan(group);
  let hasRepeats = false;
  while (scan.next()) hasRepeats ||= scan.dup;
  return { count: scan.count, hasRepeats };
}

/** CRC-32 of topic and payload above the payload's length: one wrong match in 2^32 of what has the same length. */
export const hashOf = (checksum: number, payloadBytes: number): number =>
  checksum * 1_048_576 + (payloadBytes & 0xfffff);
