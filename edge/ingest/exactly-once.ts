import type { PublishPacket } from "aedes";
import type { BrokerMemory } from "./broker-memory.ts";

interface UnderWay {
  readonly packet: PublishPacket;
  /** Resolves when the message is durable and the broker remembers its packet id; rejects when it is not durable. */
  readonly done: Promise<void>;
}

/**
 * Makes each QoS 2 publish durable once, before its PUBREC goes out (MQTT 3.1.1 §4.3.3, method B).
 *
 * The broker remembers a packet id only after the message is durable, so what it remembers needs no second put. A
 * redelivery that comes while the first put is still under way, on the same connection or on the next one, waits for
 * it. A redelivery has the packet id, the topic and the payload of the first; DUP is not asked, because common clients
 * do not set it. A known packet id with other contents is another message, of a client that lost its state: it must
 * not be acknowledged unseen.
 */
export class ExactlyOnce {
  readonly #memory: Pick<BrokerMemory, "incomingGetPacket" | "incomingDelPacket">;
  readonly #underWay = new Map<string, UnderWay>();

  constructor(memory: Pick<BrokerMemory, "incomingGetPacket" | "incomingDelPacket">) {
    this.#memory = memory;
  }

  /** Resolves when the PUBREC may go out. Rejects with what `put` rejected with. */
  async commit(clientId: string, packet: PublishPacket, put: () => Promise<void>): Promise<void> {
    const key = `${packet.messageId} ${clientId}`;
    const earlier = this.#underWay.get(key);
    if (earlier !== undefined && isSame(earlier.packet, packet)) return earlier.done;
    const done = this.#put(clientId, packet, put);
    const underWay = { packet, done: done.then(nextTurn) };
    // Its failure is the caller's to handle; a redelivery may never ask for it.
    underWay.done
      .catch(() => undefined)
      .finally(() => {
        if (this.#underWay.get(key) === underWay) this.#underWay.delete(key);
      });
    this.#underWay.set(key, underWay);
    return done;
  }

  async #put(clientId: string, packet: PublishPacket, put: () => Promise<void>): Promise<void> {
    const client = { id: clientId };
    const remembered = await this.#memory.incomingGetPacket(client, packet).catch(() => undefined);
    if (remembered !== undefined) {
      if (isSame(remembered, packet)) return;
      await this.#memory.incomingDelPacket(client, packet);
    }
    await put();
  }
}

/** The broker remembers the packet id in the microtasks after the put; a redelivery goes on after them. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function isSame(a: PublishPacket, b: PublishPacket): boolean {
  return a.topic === b.topic && Buffer.compare(Buffer.from(a.payload), Buffer.from(b.payload)) === 0;
}
