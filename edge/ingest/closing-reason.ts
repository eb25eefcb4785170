import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Refusal } from "./intake.ts";

/** Why aedes closed a connection, by the text of its error where it has nothing better. */
const REASONS: Readonly<Record<string, Refusal | undefined>> = {
  "connect did not arrive in time": "connect.timeout",
  "drain timeout": "subscriber.stalled",
  "keep alive timeout": undefined,
  "connection closed": undefined,
};

/** CONNACK return codes (MQTT 3.1.1 §3.2.2.3) that aedes puts into its errors. */
const CONNACK_REASONS: Readonly<Record<number, Refusal>> = {
  1: "connect.protocol_version",
  2: "connect.client_id",
};

/**
 * The refusal that a closed connection is to be counted as; undefined where it is none: the network failed, the
 * client went silent, or the refusal was counted where it was decided.
 */
export function closingReason(error: Error): Refusal | undefined {
  if (error instanceof PipelineError) return undefined;
  const code: unknown = Reflect.get(error, "code");
  const errorCode: unknown = Reflect.get(error, "errorCode");
  if (typeof errorCode === "number") return CONNACK_REASONS[errorCode] ?? "packet.invalid";
  // Node's own errors have a code (ECONNRESET, EPIPE); aedes's and mqtt-packet's have none.
  if (typeof code === "string") return undefined;
  return error.message in REASONS ? REASONS[error.message] : "packet.invalid";
}
