import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";

/** A message as a device would have published it. */
export interface PublishedMessage {
  readonly device: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** The event time of its last reading: it cannot have been sent before. */
  readonly endUs: number;
}

/** Recorded data as devices would publish it, and what is computed of it. */
export interface Recording {
  readonly name: string;
  /** As in the settings of a gateway. */
  readonly decode: object;
  readonly views: readonly FeatureView[];
  /** In event time. */
  readonly messages: readonly PublishedMessage[];
  /** How much later than another one a message may come that was sent before, so that no window has closed. */
  readonly delayMsMax: number;
}

/** Merges what devices publish into one row by event time. */
export function inEventTime(devices: readonly (readonly PublishedMessage[])[]): PublishedMessage[] {
  return devices.flat().sort((a, b) => a.endUs - b.endUs);
}
