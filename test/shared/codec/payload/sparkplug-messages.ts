// Payloads as an independent implementation (the package of Eclipse Tahu's authors) encodes them.
import { get } from "sparkplug-payload";

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
  return { alias, type, value, ...more } as Metric;
}
