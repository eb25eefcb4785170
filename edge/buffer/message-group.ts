import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/**
 * One group of messages as bytes, little-endian:
 *
 * header: format u8, 3 bytes 0, count u32.
 * message: flags u8 (bits 0-1 QoS, 2 DUP, 3 retain), 1 byte 0, packet id u16, client length u16, topic length u16,
 * payload length u32, receivedAtUs f64, then client (UTF-8), topic (UTF-8), payload.
 */
export const FORMAT = 1;
export const HEADER_BYTES = 8;
export const RECORD_BYTES = 20;
const FIRST_BYTES = 65_536;

/** Longest client id or topic: MQTT's own limit on strings. */
const STRING_BYTES_MAX = 65_535;

const encoder = new TextEncoder();

/** The most bytes that a message takes in a group. */
export const messageBytes = (message: IncomingMessage): number =>
  RECORD_BYTES + 3 * (message.client.length + message.topic.length) + message.payload.length;

/** Client ids and topics whose bytes a writer remembers, at most so long each: devices repeat theirs all the time. */
const REMEMBERED_MAX = 2_048;
const REMEMBERED_LENGTH_MAX = 128;

/** Appends messages to one growing buffer, without an object per message. */
export class GroupWriter {
  readonly #encoded = new Map<string, Uint8Array>();
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #end = HEADER_BYTES;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#end;
  }

  /** Throws PipelineError "buffer.message_invalid" and keeps nothing of a message that does not fit the format. */
  append(message: IncomingMessage): void {
    if (message.client.length > STRING_BYTES_MAX || message.topic.length > STRING_BYTES_MAX)
      throw tooLong(message.client.length, message.topic.length); // Before memory is taken for it.
    this.#reserve(messageBytes(message));
    const start = this.#end;
    const bodyStart = start + RECORD_BYTES;
    const client = this.#write(message.client, bodyStart);
    const topic = this.#write(message.topic, bodyStart + client);
    if (client > STRING_BYTES_MAX || topic > STRING_BYTES_MAX) throw tooLong(client, topic);
    this.#bytes.set(message.payload, bodyStart + client + topic);
    const view = this.#view;
    view.setUint8(start, message.qos | (message.dup ? 4 : 0) | (message.retain ? 8 : 0));
    view.setUint16(start + 2, message.packetId, true);
    view.setUint16(start + 4, client, true);
    view.setUint16(start + 6, topic, true);
    view.setUint32(start + 8, message.payload.length, true);
    view.setFloat64(start + 12, message.receivedAtUs, true);
    this.#end = bodyStart + client + topic + message.payload.length;
    this.#count++;
  }

  /** The group's own buffer, to be transferred; the writer begins anew. */
  take(): ArrayBuffer {
    this.#view.setUint8(0, FORMAT);
    this.#view.setUint32(4, this.#count, true);
    const group = this.#bytes.buffer.slice(0, this.#end);
    this.#end = HEADER_BYTES;
    this.#count = 0;
    return group;
  }

  /** Writes a text as UTF-8 and returns its length in bytes. */
  #write(text: string, at: number): number {
    if (text.length > REMEMBERED_LENGTH_MAX)
      return encoder.encodeInto(text, this.#bytes.subarray(at)).written;
    let encoded = this.#encoded.get(text);
    if (encoded === undefined) {
      if (this.#encoded.size >= REMEMBERED_MAX) this.#encoded.clear();
      this.#encoded.set(text, (encoded = encoder.encode(text)));
    }
    this.#bytes.set(encoded, at);
    return encoded.length;
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** The messages of a group, in order. Throws PipelineError "buffer.group_damaged" on torn or hostile bytes. */
export function decodeGroup(bytes: Uint8Array): IncomingMessage[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES || view.getUint8(0) !== FORMAT) throw damagedGroup("no header");
  const count = view.getUint32(4, true);
  if (count > (bytes.length - HEADER_BYTES) / RECORD_BYTES)
    throw damagedGroup(`${count} messages do not fit`);
  const messages: IncomingMessage[] = [];
  const client = new RepeatedText(bytes);
  const topic = new RepeatedText(bytes);
  let at = HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    if (at + RECORD_BYTES > bytes.length) throw damagedGroup(`message ${i} is cut off`);
    const flags = view.getUint8(at);
    const qos = flags & 3;
    const clientEnd = at + RECORD_BYTES + view.getUint16(at + 4, true);
    const topicEnd = clientEnd + view.getUint16(at + 6, true);
    const payloadEnd = topicEnd + view.getUint32(at + 8, true);
    if (payloadEnd > bytes.length || (qos !== 0 && qos !== 1 && qos !== 2))
      throw damagedGroup(`message ${i} is cut off`);
    messages.push({
      qos,
      dup: (flags & 4) !== 0,
      retain: (flags & 8) !== 0,
      packetId: view.getUint16(at + 2, true),
      receivedAtUs: view.getFloat64(at + 12, true),
      client: client.at(at + RECORD_BYTES, clientEnd),
      topic: topic.at(clientEnd, topicEnd),
      payload: bytes.subarray(topicEnd, payloadEnd),
    });
    at = payloadEnd;
  }
  if (at !== bytes.length) throw damagedGroup(`${bytes.length - at} bytes too many`);
  return messages;
}

/** Reads texts that are often the same as the one before: then it is not decoded again. */
export class RepeatedText {
  readonly #bytes: Buffer;
  #start = 0;
  #end = 0;
  #text = "";

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  at(start: number, end: number): string {
    if (!this.#isSame(start, end)) {
      // MQTT 3.1.1 §1.5.3: a byte order mark is a character of the string, and stays.
      this.#text = this.#bytes.toString("utf8", start, end);
      this.#start = start;
      this.#end = end;
    }
    return this.#text;
  }

  #isSame(start: number, end: number): boolean {
    if (end - start !== this.#end - this.#start) return false;
    for (let i = start, j = this.#start; i < end; i++, j++)
      if (this.#bytes[i] !== this.#bytes[j]) return false;
    return true;
  }
}

function tooLong(client: number, topic: number): PipelineError {
  return new PipelineError(
    "buffer.message_invalid",
    `a client id of ${client} or a topic of ${topic} bytes`,
    {
      hint: `At most ${STRING_BYTES_MAX} bytes each.`,
    },
  );
}

export function damagedGroup(how: string): PipelineError {
  return new PipelineError("buffer.group_damaged", `a group of messages cannot be read: ${how}`);
}

/** A group of these messages, as a writer makes it. */
export function encodeGroup(messages: readonly IncomingMessage[]): Uint8Array {
  const writer = new GroupWriter();
  for (const message of messages) writer.append(message);
  return new Uint8Array(writer.take());
}
