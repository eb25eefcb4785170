// Payloads as an independent implementation (the package of Eclipse Tahu's authors) encodes them.
import type { PayloadDecoder } from "@sluice/shared/codec/payload/payload-decoder.ts";
import { get } from "sparkplug-payload";
import { type Call, callsOf, decoderOf } from "./calls.ts";

const oracle = get("spBv1.0");
if (oracle === null) throw new Error("sparkplug-payload does not know spBv1.0");
export const { encodePayload: encodeSparkplug, decodePayload: decodeSparkplug } = oracle;

type Payload = Parameters<typeof encodeSparkplug>[0];
export type Metric = NonNullable<Payload["metrics"]>[number];

/** 2024-01-01T00:00:00Z, as arrival in microseconds and as a device's time in milliseconds. */
export const NOW_MS = 1_704_067_200_000;
export const NOW_US = NOW_MS * 1_000;

/** A payload with its sequence number; times are those of the metrics, else of the payload. */
export function message(seq: number | undefined, metrics: Metric[], timestamp = NOW_MS): Uint8Array {
  return encodeSparkplug(seq === undefined ? { timestamp, metrics } : { timestamp, seq, metrics });
}

/** A metric that only its alias names, as in data messages. */
export function byAlias(alias: number, type: Metric["type"], value: Metric["value"], more = {}): Metric {
  return { alias, type, value, ...more };
}

/** A gateway's view of one broker: messages go in by their topic, calls come out. */
export class Listener {
  readonly decoder: PayloadDecoder;
  #atUs = NOW_US;

  constructor(settings: object = {}) {
    this.decoder = decoderOf({ format: "sparkplug-b", ...settings });
  }

  take(topic: string, payload: Uint8Array): Call[] {
    return callsOf(this.decoder, payload, { topic: `spBv1.0/${topic}`, receivedAtUs: this.#atUs });
  }

  /** A message that is decoded again after the others. */
  again(topic: string, payload: Uint8Array): Call[] {
    return callsOf(this.decoder, payload, {
      topic: `spBv1.0/${topic}`,
      receivedAtUs: this.#atUs,
      isAgain: true,
    });
  }

  wait(ms: number): this {
    this.#atUs += ms * 1_000;
    return this;
  }
}

export const NODE_BIRTH: Metric[] = [
  { name: "bdSeq", type: "Int64", value: 4 },
  { name: "Node Control/Rebirth", type: "Boolean", value: false },
  { name: "load", alias: 1, type: "Double", value: 0.5, timestamp: NOW_MS - 1_000 },
];
export const DEVICE_BIRTH: Metric[] = [
  { name: "flow", alias: 10, type: "Float", value: 1.5 },
  { name: "steps", alias: 11, type: "Int32", value: -3 },
  { name: "running", alias: 12, type: "Boolean", value: true },
];

export function born(settings: object = {}): Listener {
  const listener = new Listener(settings);
  listener.take("plant/NBIRTH/n1", message(0, NODE_BIRTH));
  listener.take("plant/DBIRTH/n1/pump", message(1, DEVICE_BIRTH));
  return listener;
}

/** The calls but those that say that there may be no values. */
export const values = (calls: readonly Call[]): Call[] => calls.filter(([kind]) => kind !== "ignore");
export const kinds = (calls: readonly Call[]): string[] => values(calls).map(([kind]) => kind);
