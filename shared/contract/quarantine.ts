/** Why a message, or one value in it, was not accepted. Stable: dashboards and tests name them. */
export const QUARANTINE_REASONS = [
  "route.none",
  "device.invalid",
  "payload.empty",
  "payload.too_large",
  "payload.malformed",
  "time.invalid",
  "time.future",
  "time.too_old",
  "metric.unknown",
  "metric.missing",
  "value.wrong_type",
  "value.not_finite",
  "value.out_of_range",
  "unit.incompatible",
  "label.invalid",
] as const;

export type QuarantineReason = (typeof QUARANTINE_REASONS)[number];

/** Most bytes of a refused payload that are kept: enough to see what it was, small enough to keep by the thousand. */
export const QUARANTINE_PAYLOAD_BYTES_MAX = 4_096;

/**
 * A refused message or value: `index` is the value's place in the message, 0 for the message as a whole. It grows within
 * a message: a record that has no values, and so no place among them, takes the next one that is free.
 */
export interface QuarantineRow {
  readonly offset: number;
  readonly index: number;
  readonly receivedAtUs: number;
  readonly client: string;
  readonly topic: string;
  readonly reason: QuarantineReason;
  /** One sentence with the field, the value and what is allowed. */
  readonly detail: string;
  /** The first QUARANTINE_PAYLOAD_BYTES_MAX bytes. */
  readonly payload: Uint8Array;
  readonly payloadBytes: number;
}
