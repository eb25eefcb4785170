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
