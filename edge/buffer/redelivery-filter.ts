import { crc32 } from "node:zlib";
import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { hashOf, type MessageKey } from "./group-scan.ts";

/** Of each client, the hash of the last message with each packet identifier. */
type Hashes = Map<string, Map<number, number>>;

/** What a filter remembers, as it crosses between threads. */
export interface FilterState {
  readonly newer: ReadonlyMap<string, ReadonlyMap<number, number>>;
  readonly older: ReadonlyMap<string, ReadonlyMap<number, number>>;
}

/**
 * Recognises a message that a client sends again because it never saw the acknowledgement.
 *
 * MQTT 3.1.1 §4.4: unacknowledged messages are sent again with DUP=1 and the same packet identifier. Such a message is
 * a redelivery when the last stored message with this client and packet identifier has the same topic and payload.
 *
 * At least the newest `entriesMax` messages are remembered and at most twice as many, about 60 bytes each: when so many
 * are new, the older half is forgotten at once. (To forget them one by one from a Map costs more than to store them:
 * finding its oldest entry walks over everything that was deleted before.)
 */
export class RedeliveryFilter {
  readonly #entriesMax: number;
  #newer: Hashes = new Map();
  #older: Hashes = new Map();
  #newerCount = 0;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  isRedelivery(message: MessageKey): boolean {
    return message.dup && message.qos > 0 && this.#find(message) === message.hash;
  }

  /** Whether a message with this client and packet identifier is remembered, the same or another. */
  knows(message: MessageKey): boolean {
    return this.#find(message) !== undefined;
  }

  /** Remembers a stored message; it replaces an older one with the same packet identifier, which is done with. */
  remember(message: MessageKey): void {
    if (message.qos === 0 || this.#entriesMax === 0) return;
    let ofClient = this.#newer.get(message.client);
    if (ofClient === undefined) this.#newer.set(message.client, (ofClient = new Map()));
    const before = ofClient.size;
    ofClient.set(message.packetId, message.hash);
    this.#newerCount += ofClient.size - before;
    if (this.#newerCount < this.#entriesMax) return;
    this.#older = this.#newer;
    this.#newer = new Map();
    this.#newerCount = 0;
  }

  state(): FilterState {
    return { newer: this.#newer, older: this.#older };
  }

  /** Goes on from a state, which is its own from here on. */
  restore({ newer, older }: FilterState): void {
    const own = (hashes: FilterState["newer"]): Hashes =>
      new Map([...hashes].map(([client, ofClient]) => [client, new Map(ofClient)]));
    this.#newer = own(newer);
    this.#older = own(older);
    this.#newerCount = [...this.#newer.values()].reduce((sum, ofClient) => sum + ofClient.size, 0);
  }

  #find({ client, packetId }: MessageKey): number | undefined {
    return this.#newer.get(client)?.get(packetId) ?? this.#older.get(client)?.get(packetId);
  }
}

/** The key of a message that is decoded. */
export const keyOf = ({ client, packetId, qos, dup, topic, payload }: IncomingMessage): MessageKey => ({
  client,
  packetId,
  qos,
  dup,
  hash: hashOf(crc32(payload, crc32(topic)), payload.length),
});
