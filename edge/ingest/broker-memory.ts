import { assert } from "@sluice/shared/runtime/assert.ts";
import type { Aedes, AedesPublishPacket, PublishPacket } from "aedes";
import type { BrokerSettings } from "./settings.ts";
import type { Refusal } from "./intake.ts";
import { WaitingAmounts } from "./waiting-amounts.ts";

/** Most bytes of payloads that wait for one subscriber that is away, and for all: what large messages may take. */
const SESSION_BYTES_MAX = 16_777_216;
const WAITING_BYTES_MAX = 67_108_864;

/** Most bytes of retained payloads. */
const RETAINED_BYTES_MAX = 33_554_432;

interface ClientId {
  readonly id: string;
}

interface SessionName {
  readonly clientId: string;
}

/** What aedes takes for a promise. */
export interface Answer<T> {
  then(answered: (value: T) => unknown, failed?: (reason: unknown) => unknown): unknown;
}

/** What the embedded broker remembers of its sessions, in memory: the part of it that we look at or bound. */
export interface BrokerMemory {
  /** The QoS 2 publish of this packet id that was answered with PUBREC and not yet released; rejects without one. */
  incomingGetPacket(client: ClientId, packet: { readonly messageId?: number }): Promise<PublishPacket>;
  incomingDelPacket(client: ClientId, packet: { readonly messageId?: number }): Promise<void>;
  /** Queues a message for the persistent sessions that subscribe to it. */
  outgoingEnqueueCombi(sessions: readonly SessionName[], packet: object): Answer<void>;
  /** Takes an acknowledged message out of a session's queue; undefined where it was not in it. */
  outgoingClearMessageId(client: ClientId, packet: object): Promise<object | undefined>;
  storeRetained(packet: AedesPublishPacket): Answer<void>;
  /** The kept sessions that queue messages of QoS 1 and 2 to a topic. */
  subscriptionsByTopic(topic: string): Answer<readonly SessionName[]>;
  /** Keeps subscriptions for a session that outlives its connection. */
  addSubscriptions(
    client: ClientId,
    subscriptions: readonly { readonly topic: string; readonly qos: number }[],
  ): Promise<void>;
  removeSubscriptions(client: ClientId, filters: readonly string[]): Promise<void>;
  cleanSubscriptions(client: ClientId): Promise<void>;
}

const METHODS = [
  "incomingGetPacket",
  "incomingDelPacket",
  "outgoingEnqueueCombi",
  "outgoingClearMessageId",
  "storeRetained",
  "subscriptionsByTopic",
  "addSubscriptions",
  "removeSubscriptions",
  "cleanSubscriptions",
] as const;

/** The memory of a broker that was made without a persistence of its own. */
export function memoryOf(broker: Aedes): BrokerMemory {
  const memory: unknown = Reflect.get(broker, "persistence");
  assert(isBrokerMemory(memory), `aedes keeps sessions in an object with ${METHODS.join(", ")}`);
  return memory;
}

function isBrokerMemory(memory: unknown): memory is BrokerMemory {
  if (typeof memory !== "object" || memory === null) return false;
  return METHODS.every((name) => typeof Reflect.get(memory, name) === "function");
}

/**
 * Puts limits on what subscribers and retained messages may take of the gateway's memory; what is over is counted.
 *
 * The message itself is not lost: it is in the sink, and subscribers that are there get it.
 */
export function boundMemory(
  memory: BrokerMemory,
  limits: Pick<BrokerSettings, "queuedMessagesMax" | "retainedTopicsMax">,
  refuse: (reason: Refusal) => void,
): void {
  boundQueues(memory, limits.queuedMessagesMax, refuse);
  boundRetained(memory, limits.retainedTopicsMax, refuse);
}

function boundQueues(
  memory: BrokerMemory,
  queuedMessagesMax: number,
  refuse: (reason: Refusal) => void,
): void {
  const waiting = new WaitingAmounts({
    ofSessionMax: queuedMessagesMax,
    ofSessionBytesMax: SESSION_BYTES_MAX,
    bytesMax: WAITING_BYTES_MAX,
  });
  const enqueue = memory.outgoingEnqueueCombi.bind(memory);
  const clear = memory.outgoingClearMessageId.bind(memory);
  memory.outgoingEnqueueCombi = (sessions, packet) => {
    const open = sessions.filter(({ clientId }) => {
      const isRoom = waiting.tryAdd(clientId, payloadBytes(packet));
      if (!isRoom) refuse("subscriber.queue_full");
      return isRoom;
    });
    return enqueue(open, packet);
  };
  memory.outgoingClearMessageId = async (client, packet) => {
    const cleared = await clear(client, packet);
    if (cleared !== undefined) waiting.remove(client.id, payloadBytes(cleared));
    return cleared;
  };
}

/** A PUBREL, which stands for a message that was taken, has no payload. */
function payloadBytes(packet: object): number {
  const payload: unknown = Reflect.get(packet, "payload");
  if (typeof payload === "string") return Buffer.byteLength(payload);
  return payload instanceof Uint8Array ? payload.length : 0;
}

function boundRetained(
  memory: BrokerMemory,
  retainedTopicsMax: number,
  refuse: (reason: Refusal) => void,
): void {
  const topics = new Map<string, number>();
  let retainedBytes = 0;
  const store = memory.storeRetained.bind(memory);
  memory.storeRetained = async (packet) => {
    const before = topics.get(packet.topic);
    const bytes = payloadBytes(packet);
    const isOver =
      (before === undefined && topics.size >= retainedTopicsMax) ||
      retainedBytes - (before ?? 0) + bytes > RETAINED_BYTES_MAX;
    if (bytes > 0 && isOver) {
      refuse("retain.limit");
      return;
    }
    retainedBytes += bytes - (before ?? 0);
    if (bytes === 0) topics.delete(packet.topic);
    else topics.set(packet.topic, bytes);
    await store(packet);
  };
}
