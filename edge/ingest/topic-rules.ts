import { isFeaturesRequest, LABEL_TOPIC, SLUICE_TOPIC } from "@sluice/shared/contract/topic.ts";

/**
 * Whether a topic or filter is the broker's own: its state, and shared subscriptions, which are MQTT 5. Other topics
 * that begin with $ are anybody's, but no wildcard at the first level matches them (MQTT 3.1.1 §4.7.2).
 */
export const isBrokers = (topic: string): boolean => /^\$(SYS|share|queue)(\/|$)/i.test(topic);

/** Whether a device must not publish to a topic: those on which gateways speak, and those of the broker ($SYS). */
export function isReserved(topic: string): boolean {
  if (topic === LABEL_TOPIC || isFeaturesRequest(topic)) return false;
  return isBrokers(topic) || topic === SLUICE_TOPIC || topic.startsWith(`${SLUICE_TOPIC}/`);
}
