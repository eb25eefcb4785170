import { assert } from "@sluice/shared/runtime/assert.ts";
import type { Aedes } from "aedes";

interface ClientId {
  readonly id: string;
}

interface Subscription {
  readonly topic: string;
}

/** What the embedded broker keeps of a session: the part of it that is bounded and forgotten from outside. */
export interface SessionMemory {
  addSubscriptions(client: ClientId, subscriptions: readonly Subscription[]): Promise<void>;
  cleanSubscriptions(client: ClientId): Promise<void>;
  outgoingStream(client: ClientId): AsyncIterable<object>;
  outgoingClearMessageId(client: ClientId, packet: object): Promise<object | undefined>;
  cleanIncoming(client: ClientId): Promise<void>;
}

const METHODS = [
  "addSubscriptions",
  "cleanSubscriptions",
  "outgoingStream",
  "outgoingClearMessageId",
  "cleanIncoming",
] as const;

/** The sessions of a broker that has begun to listen and was made without a persistence of its own. */
export function sessionMemoryOf(broker: Aedes): SessionMemory {
  const memory: unknown = Reflect.get(broker, "persistence");
  assert(isSessionMemory(memory), `aedes keeps sessions in an object with ${METHODS.join(", ")}`);
  return memory;
}

function isSessionMemory(memory: unknown): memory is SessionMemory {
  if (typeof memory !== "object" || memory === null) return false;
  return METHODS.every((name) => typeof Reflect.get(memory, name) === "function");
}

/**
 * Keeps only the subscription that is granted just now. For each that it grants, aedes keeps all that its SUBSCRIBE asks
 * for: it would queue for the refused ones what comes while the client is away, and take seconds for thousands.
 */
export function keepOnlyGranted(memory: SessionMemory, grantedNow: () => Subscription | undefined): void {
  const add = memory.addSubscriptions.bind(memory);
  memory.addSubscriptions = (client) => {
    const granted = grantedNow();
    return add(client, granted === undefined ? [] : [granted]);
  };
}

/** Forgets all that is kept for a client id: its subscriptions, what waits for it, and what it began. */
export async function forgetSession(memory: SessionMemory, clientId: string): Promise<void> {
  const client = { id: clientId };
  await memory.cleanSubscriptions(client);
  await memory.cleanIncoming(client);
  for await (const packet of memory.outgoingStream(client))
    await memory.outgoingClearMessageId(client, packet);
}
