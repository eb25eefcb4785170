import type { Answer, BrokerMemory } from "./broker-memory.ts";
import type { SubscriptionIndex } from "./subscription-index.ts";

/**
 * Lets the broker hand on each message within the call of its `publish`, so that messages stay in their order.
 *
 * aedes waits a few turns for its memory with some messages (retained ones, those of QoS 1 and 2) and not with others,
 * and numbers them before: one that is overtaken by a later number is taken for a duplicate by every subscriber of
 * both, and lost to it. The memory is in this process and has done its work when it returns, so it answers at once.
 */
export function keepOrder(memory: BrokerMemory, subscriptions: SubscriptionIndex): void {
  const store = memory.storeRetained.bind(memory);
  const enqueue = memory.outgoingEnqueueCombi.bind(memory);
  memory.storeRetained = (packet) => {
    void store(packet); // It cannot fail; should it, its unhandled rejection ends the process.
    return atOnce(undefined);
  };
  memory.subscriptionsByTopic = (topic) =>
    atOnce(subscriptions.find(topic).sessions.map((clientId) => ({ clientId, topic })));
  memory.outgoingEnqueueCombi = (sessions, packet) => {
    void enqueue(sessions, packet);
    return atOnce(undefined);
  };
}

/** An answer that is there before anybody asks for it. */
const atOnce = <T>(value: T): Answer<T> => ({
  // oxlint-disable-next-line unicorn/no-thenable -- a promise would answer some turns later
  then: (answered) => answered(value),
});
