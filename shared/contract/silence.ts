import { SLUICE_TOPIC } from "./topic.ts";

/**
 * What a gateway writes into its own log when nobody has sent anything and a view closes windows of silent devices: a
 * message, and so a reading of a device type of its own. Time passes for features by arrivals alone, so that whoever
 * has the readings computes the same; this is the arrival that there would otherwise not be.
 */
export const SILENCE_DEVICE_TYPE = "sluice";
export const SILENCE_METRIC = "silence";

export const silenceTopic = (gateway: string): string => `${SLUICE_TOPIC}/${gateway}/silence`;

const TOPIC = new RegExp(`^${SLUICE_TOPIC}/([^/]+)/silence$`);

/** The gateway; undefined where the topic is not one that `silenceTopic` makes. */
export const parseSilenceTopic = (topic: string): string | undefined => TOPIC.exec(topic)?.[1];
