import type { Random } from "@sluice/shared/runtime/random.ts";

/** What a broken device may send. */
export const RUBBISH_KINDS = [
  "malformed",
  "empty",
  "not_a_number",
  "wrong_type",
  "huge",
  "future",
  "ancient",
  "unknown_metric",
] as const;
export type RubbishKind = (typeof RUBBISH_KINDS)[number];

/**
 * More than a decoder should take, and less than brokers let through: a broker cuts the connection at a packet that
 * is too long for it, and QoS 1 would send that packet again for ever.
 */
const HUGE_BYTES = 131_072;

const DAY_MS = 86_400_000;

/** A bad message of a kind, in place of one that was measured at `measuredAtMs`. */
export function rubbish(kind: RubbishKind, measuredAtMs: number, random: Random): string {
  const value = (random.next() * 10).toFixed(3);
  switch (kind) {
    case "malformed":
      return `{"ts":${measuredAtMs},"vibration_rms_g":${value},"current_a":`;
    case "empty":
      return "";
    case "not_a_number":
      return `{"ts":${measuredAtMs},"vibration_rms_g":NaN}`;
    case "wrong_type":
      return `{"ts":${measuredAtMs},"vibration_rms_g":"high"}`;
    case "huge":
      return `{"ts":${measuredAtMs},"note":"${"x".repeat(HUGE_BYTES)}"}`;
    case "future":
      return `{"ts":${measuredAtMs + 30 * DAY_MS},"vibration_rms_g":${value}}`;
    case "ancient":
      return `{"ts":${measuredAtMs - 20_000 * DAY_MS},"vibration_rms_g":${value}}`;
    case "unknown_metric":
      return `{"ts":${measuredAtMs},"phase_of_the_moon":${value}}`;
  }
}
