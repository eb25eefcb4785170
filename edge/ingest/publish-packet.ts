import { isUtf8 } from "node:buffer";

/** aedes matches topics of at most so many levels; a deeper one could never be delivered. */
const TOPIC_LEVELS_MAX = 100;

/** Topics that are remembered by their bytes: 4,096 places, one topic each, about 1 MB when all are taken. */
const PLACES = 4_096;

/** Longer topics are read anew each time. */
const REMEMBERED_BYTES_MAX = 128;

interface RememberedTopic {
  readonly bytes: Uint8Array;
  readonly topic: string;
}

/**
 * Reads PUBLISH packets of QoS 0 and 1 (MQTT 3.1.1 §3.3) without an object per packet.
 *
 * What was read last is in its fields until the next call. Topics are remembered by their bytes, because devices
 * publish to the same few over and over, and to check and decode one costs more than the rest of the packet.
 */
export class PublishPackets {
  readonly #remembered: (RememberedTopic | undefined)[] = Array.from({ length: PLACES });
  #topic = "";
  #packetId = 0;
  #payloadStart = 0;

  get topic(): string {
    return this.#topic;
  }

  /** 0 for QoS 0. */
  get packetId(): number {
    return this.#packetId;
  }

  /** The payload goes from here to the packet's end. */
  get payloadStart(): number {
    return this.#payloadStart;
  }

  /** Reads the body of a packet. Returns what is wrong with it, undefined where it is right. */
  read(bytes: Buffer, place: { readonly bodyStart: number; readonly end: number }, qos: 0 | 1) {
    const { bodyStart, end } = place;
    if (end - bodyStart < 2) return "a PUBLISH without a topic";
    const topicStart = bodyStart + 2;
    const topicEnd = topicStart + uint16(bytes, bodyStart);
    this.#payloadStart = topicEnd + 2 * qos;
    if (this.#payloadStart > end) return "a PUBLISH that is shorter than its topic and packet id";
    this.#packetId = qos === 0 ? 0 : uint16(bytes, topicEnd);
    if (qos > 0 && this.#packetId === 0) return "a PUBLISH with the packet id 0"; // §2.3.1
    return this.#readTopic(bytes, topicStart, topicEnd);
  }

  #readTopic(bytes: Buffer, start: number, end: number): string | undefined {
    const isShort = end - start <= REMEMBERED_BYTES_MAX;
    const place = isShort ? placeOf(bytes, start, end) : 0;
    const remembered = isShort ? this.#remembered[place] : undefined;
    if (remembered !== undefined && isSame(remembered.bytes, bytes, start, end)) {
      this.#topic = remembered.topic;
      return undefined;
    }
    const own = Uint8Array.prototype.slice.call(bytes, start, end);
    const fault = topicFault(own);
    if (fault !== undefined) return fault;
    this.#topic = bytes.toString("utf8", start, end);
    if (isShort) this.#remembered[place] = { bytes: own, topic: this.#topic };
    return undefined;
  }
}

/** What is wrong with a topic name (MQTT 3.1.1 §1.5.3, §3.3.2.1, §4.7.3). */
function topicFault(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "a PUBLISH to an empty topic";
  if (!isUtf8(bytes)) return "a topic that is not UTF-8";
  if (bytes.includes(0)) return "a topic with U+0000";
  if (bytes.includes(0x2b) || bytes.includes(0x23)) return "a PUBLISH to a topic with a wildcard";
  let levels = 1;
  for (const byte of bytes) if (byte === 0x2f) levels++;
  return levels > TOPIC_LEVELS_MAX ? `a topic of more than ${TOPIC_LEVELS_MAX} levels` : undefined;
}

const uint16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** FNV-1a, folded to the number of places. */
function placeOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return (hash ^ (hash >>> 15)) & (PLACES - 1);
}

function isSame(one: Uint8Array, other: Uint8Array, start: number, end: number): boolean {
  if (one.length !== end - start) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[start + i]) return false;
  return true;
}
