import { isFeaturesRequest, LABEL_TOPIC, SLUICE_TOPIC } from "@sluice/shared/contract/topic.ts";

/** Whether a device must not publish to a topic: those on which gateways speak, and those of the broker ($SYS). */
export function isReserved(topic: string): boolean {
  if (topic === LABEL_TOPIC || isFeaturesRequest(topic)) return false;
  return topic.startsWith("$") || topic === SLUICE_TOPIC || topic.startsWith(`${SLUICE_TOPIC}/`);
}
