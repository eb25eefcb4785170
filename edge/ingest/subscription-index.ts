import type { Aedes } from "aedes";
import type { BrokerMemory } from "./broker-memory.ts";

/** Topics whose answer is remembered until a subscription changes. */
const REMEMBERED_MAX = 4_096;

/** aedes refuses deeper filters, and no topic is deeper. */
const LEVELS_MAX = 100;

/** Stands for whoever subscribes without a session that is kept. */
const LIVE = Symbol("live");

type Subscriber = string | typeof LIVE;

interface Level {
  /** Whose filters end here, and how often. */
  readonly subscribers: Map<Subscriber, number>;
  readonly next: Map<string, Level>;
}

/** Who wants a topic. */
export interface Wanting {
  readonly isWanted: boolean;
  /** Client ids of the kept sessions that queue its messages of QoS 1 and 2. */
  readonly sessions: readonly string[];
}

const NOBODY: Wanting = { isWanted: false, sessions: [] };

/** Knows whether anybody wants a topic: a subscriber that is there, or the kept session of one that may be away. */
export class SubscriptionIndex {
  readonly #root = emptyLevel();
  readonly #remembered = new Map<string, Wanting>();

  /** With a client id, the filter is one of a session that is kept. */
  add(filter: string, clientId?: string): void {
    const names = filter.split("/");
    if (names.length > LEVELS_MAX) return;
    let level = this.#root;
    for (const name of names) {
      const next = level.next.get(name) ?? emptyLevel();
      level.next.set(name, next);
      level = next;
    }
    const subscriber = clientId ?? LIVE;
    level.subscribers.set(subscriber, (level.subscribers.get(subscriber) ?? 0) + 1);
    this.#remembered.clear();
  }

  remove(filter: string, clientId?: string): void {
    const names = filter.split("/");
    if (names.length > LEVELS_MAX) return;
    removeBelow(this.#root, { names, at: 0, subscriber: clientId ?? LIVE });
    this.#remembered.clear();
  }

  find(topic: string): Wanting {
    if (this.#root.next.size === 0) return NOBODY;
    const remembered = this.#remembered.get(topic);
    if (remembered !== undefined) return remembered;
    const found = new Set<Subscriber>();
    findBelow(this.#root, { names: topic.split("/"), at: 0, found });
    const wanting = { isWanted: found.size > 0, sessions: [...found].filter((one) => one !== LIVE) };
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.set(topic, wanting);
    return wanting;
  }
}

const emptyLevel = (): Level => ({ subscribers: new Map(), next: new Map() });

interface Search {
  readonly names: readonly string[];
  readonly at: number;
  readonly found: Set<Subscriber>;
}

/** MQTT 3.1.1 §4.7.1: `+` is one level, `#` any number of them, none included. */
function findBelow(level: Level, { names, at, found }: Search): void {
  for (const subscriber of level.next.get("#")?.subscribers.keys() ?? []) found.add(subscriber);
  const name = names[at];
  if (name === undefined) {
    for (const subscriber of level.subscribers.keys()) found.add(subscriber);
    return;
  }
  for (const next of [level.next.get(name), level.next.get("+")])
    if (next !== undefined) findBelow(next, { names, at: at + 1, found });
}

interface Removal {
  readonly names: readonly string[];
  readonly at: number;
  readonly subscriber: Subscriber;
}

function removeBelow(level: Level, { names, at, subscriber }: Removal): void {
  const name = names[at];
  if (name === undefined) {
    const count = level.subscribers.get(subscriber) ?? 0;
    if (count > 1) level.subscribers.set(subscriber, count - 1);
    else level.subscribers.delete(subscriber);
    return;
  }
  const next = level.next.get(name);
  if (next === undefined) return;
  removeBelow(next, { names, at: at + 1, subscriber });
  if (next.subscribers.size === 0 && next.next.size === 0) level.next.delete(name);
}

/** Keeps an index of what is subscribed to at a broker, by the ways on which aedes adds and removes subscriptions. */
export function indexSubscriptions(broker: Aedes, memory: BrokerMemory): SubscriptionIndex {
  const index = new SubscriptionIndex();
  const subscribe = broker.subscribe.bind(broker);
  const unsubscribe = broker.unsubscribe.bind(broker);
  broker.subscribe = (topic, deliver, done) => {
    index.add(topic);
    subscribe(topic, deliver, done);
  };
  broker.unsubscribe = (topic, deliver, done) => {
    index.remove(topic);
    unsubscribe(topic, deliver, done);
  };
  indexSessions(index, memory);
  return index;
}

/** A session queues only for its subscriptions of QoS 1 and 2 (MQTT 3.1.1 §3.1.2.4). */
function indexSessions(index: SubscriptionIndex, memory: BrokerMemory): void {
  const sessions = new Map<string, Set<string>>();
  const forget = (clientId: string, filters: Iterable<string>): void => {
    const kept = sessions.get(clientId);
    for (const filter of filters) if (kept?.delete(filter) === true) index.remove(filter, clientId);
    if (kept?.size === 0) sessions.delete(clientId);
  };
  const add = memory.addSubscriptions.bind(memory);
  const remove = memory.removeSubscriptions.bind(memory);
  const clean = memory.cleanSubscriptions.bind(memory);
  memory.addSubscriptions = (client, subscriptions) => {
    for (const { topic, qos } of subscriptions) {
      const kept = sessions.get(client.id) ?? new Set();
      if (qos === 0) forget(client.id, [topic]);
      else if (!kept.has(topic)) {
        sessions.set(client.id, kept.add(topic));
        index.add(topic, client.id);
      }
    }
    return add(client, subscriptions);
  };
  memory.removeSubscriptions = (client, filters) => {
    forget(client.id, filters);
    return remove(client, filters);
  };
  memory.cleanSubscriptions = (client) => {
    forget(client.id, [...(sessions.get(client.id) ?? [])]);
    return clean(client);
  };
}
