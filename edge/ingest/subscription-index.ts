import type { Aedes } from "aedes";
import type { BrokerMemory } from "./broker-memory.ts";

/** Topics whose answer is remembered until a subscription changes. */
const REMEMBERED_MAX = 4_096;

/** aedes refuses deeper filters, and no topic is deeper. */
const LEVELS_MAX = 100;

interface Level {
  /** Subscriptions whose filter ends here. */
  count: number;
  readonly next: Map<string, Level>;
}

/** Knows whether anybody wants a topic: a subscriber that is there, or the kept session of one that is away. */
export class SubscriptionIndex {
  readonly #root: Level = { count: 0, next: new Map() };
  readonly #wanted = new Map<string, boolean>();

  add(filter: string): void {
    const names = filter.split("/");
    if (names.length > LEVELS_MAX) return;
    let level = this.#root;
    for (const name of names) {
      const found = level.next.get(name);
      const next = found ?? { count: 0, next: new Map() };
      if (found === undefined) level.next.set(name, next);
      level = next;
    }
    level.count++;
    this.#wanted.clear();
  }

  remove(filter: string): void {
    const names = filter.split("/");
    if (names.length > LEVELS_MAX) return;
    removeBelow(this.#root, names, 0);
    this.#wanted.clear();
  }

  wants(topic: string): boolean {
    if (this.#root.next.size === 0) return false;
    const remembered = this.#wanted.get(topic);
    if (remembered !== undefined) return remembered;
    const wants = matches(this.#root, topic.split("/"), 0);
    if (this.#wanted.size >= REMEMBERED_MAX) this.#wanted.clear();
    this.#wanted.set(topic, wants);
    return wants;
  }
}

/** MQTT 3.1.1 §4.7.1: `+` is one level, `#` any number of them, none included. */
function matches(level: Level, names: readonly string[], at: number): boolean {
  if ((level.next.get("#")?.count ?? 0) > 0) return true;
  const name = names[at];
  if (name === undefined) return level.count > 0;
  const exact = level.next.get(name);
  const any = level.next.get("+");
  return (
    (exact !== undefined && matches(exact, names, at + 1)) ||
    (any !== undefined && matches(any, names, at + 1))
  );
}

function removeBelow(level: Level, names: readonly string[], at: number): void {
  const name = names[at];
  if (name === undefined) {
    level.count = Math.max(0, level.count - 1);
    return;
  }
  const next = level.next.get(name);
  if (next === undefined) return;
  removeBelow(next, names, at + 1);
  if (next.count === 0 && next.next.size === 0) level.next.delete(name);
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

function indexSessions(index: SubscriptionIndex, memory: BrokerMemory): void {
  const sessions = new Map<string, Set<string>>();
  const forget = (clientId: string, filters: Iterable<string>): void => {
    const kept = sessions.get(clientId);
    for (const filter of filters) if (kept?.delete(filter) === true) index.remove(filter);
    if (kept?.size === 0) sessions.delete(clientId);
  };
  const add = memory.addSubscriptions.bind(memory);
  const remove = memory.removeSubscriptions.bind(memory);
  const clean = memory.cleanSubscriptions.bind(memory);
  memory.addSubscriptions = (client, subscriptions) => {
    const kept = sessions.get(client.id) ?? new Set();
    sessions.set(client.id, kept);
    for (const { topic } of subscriptions)
      if (!kept.has(topic)) {
        kept.add(topic);
        index.add(topic);
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
