import { crc32 } from "node:zlib";
import type { IncomingMessage } from "@sluice/shared/contract/message.ts";

/**
 * Recognises a message that a client sends again because it never saw the acknowledgement.
 *
 * MQTT 3.1.1 §4.4: unacknowledged messages are sent again with DUP=1 and the same packet identifier. Such a message is
 * a redelivery when the last stored message with this client and packet identifier has the same topic and payload.
 * Only the newest `entriesMax` messages are remembered, oldest forgotten first: about 100 bytes each.
 */
export class RedeliveryFilter {
  readonly #entriesMax: number;
  readonly #hashes = new Map<string, number>();

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  isRedelivery(message: IncomingMessage): boolean {
    return message.dup && message.qos > 0 && this.#hashes.get(key(message)) === hash(message);
  }

  /** Whether a message with this client and packet identifier is remembered, the same or another. */
  knows(message: IncomingMessage): boolean {
    return this.#hashes.has(key(message));
  }

  /** Remembers a stored message; it replaces an older one with the same packet identifier, which is done with. */
  remember(message: IncomingMessage): void {
    if (message.qos === 0 || this.#entriesMax === 0) return;
    const place = key(message);
    this.#hashes.delete(place);
    this.#hashes.set(place, hash(message));
    if (this.#hashes.size <= this.#entriesMax) return;
    const oldest = this.#hashes.keys().next();
    if (oldest.done !== true) this.#hashes.delete(oldest.value);
  }
}

const key = (message: IncomingMessage): string => `${message.packetId} ${message.client}`;

/** CRC-32 of topic and payload above the payload's length: one wrong match in 2^32 of what has the same length. */
const hash = (message: IncomingMessage): number =>
  crc32(message.payload, crc32(message.topic)) * 1_048_576 + (message.payload.length & 0xfffff);
