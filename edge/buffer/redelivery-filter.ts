import { crc32 } from "node:zlib";
import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { hashOf, type MessageKey } from "./group-scan.ts";
import { PacketTable, type PacketTableState } from "./packet-table.ts";

/** What a filter remembers, as it crosses between threads. */
export interface FilterState {
  readonly newer: PacketTableState;
  readonly older: PacketTableState;
}

/**
 * Recognises a message that a client sends again because it never saw the acknowledgement.
 *
 * MQTT 3.1.1 §4.4: unacknowledged messages are sent again with DUP=1 and the same packet identifier. Such a message is
 * a redelivery when the last stored message with this client and packet identifier has the same topic and payload.
 *
 * At least the newest `entriesMax` messages are remembered and at most twice as many, 20 to 40 bytes each beside the
 * names of their clients: when so many are new, the older half is forgotten at once. (To forget them one by one from a
 * Map costs more than to store them: finding its oldest entry walks over everything that was deleted before.)
 */
export class RedeliveryFilter {
  readonly #entriesMax: number;
  #newer = new PacketTable();
  #older = new PacketTable();

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
    this.#newer.set(message.client, message.packetId, message.hash);
    if (this.#newer.count < this.#entriesMax) return;
    [this.#older, this.#newer] = [this.#newer, this.#older];
    this.#newer.clear();
  }

  /** What it remembers, not copied: good until the next message is remembered. */
  state(): FilterState {
    return { newer: this.#newer.state(), older: this.#older.state() };
  }

  /** Forgets everything, and leaves the state that was given out as it is. */
  forget(): void {
    this.#newer = new PacketTable();
    this.#older = new PacketTable();
  }

  /** Goes on from a state, which is copied. */
  restore({ newer, older }: FilterState): void {
    this.#newer.restore(newer);
    this.#older.restore(older);
  }

  #find({ client, packetId }: MessageKey): number | undefined {
    return this.#newer.get(client, packetId) ?? this.#older.get(client, packetId);
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
