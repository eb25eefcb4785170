/**
 * Topics on which a gateway itself speaks. Below `sluice/`, which devices may not publish to, except labels.
 */
export const SLUICE_TOPIC = "sluice";
export const predictionTopic = (gateway: string, device: string): string =>
  `${SLUICE_TOPIC}/${gateway}/predictions/${device}`;
export const alertTopic = (gateway: string, device: string): string =>
  `${SLUICE_TOPIC}/${gateway}/alerts/${device}`;
/** Where operators publish labels (see `labelMessageSchema`). */
export const LABEL_TOPIC = `${SLUICE_TOPIC}/labels`;

/** Where clients ask a gateway for its newest feature vectors (see `onlineRequestSchema`), and where it answers. */
export const featuresRequestTopic = (gateway: string): string => `${SLUICE_TOPIC}/${gateway}/features/get`;
/** Whether a topic is the request topic of some gateway. */
export const isFeaturesRequest = (topic: string): boolean =>
  topic.startsWith(`${SLUICE_TOPIC}/`) && /^[^/]+\/[^/]+\/features\/get$/.test(topic);
export const featuresReplyTopic = (gateway: string, to: string): string =>
  `${SLUICE_TOPIC}/${gateway}/features/reply/${to}`;
