import { createPayloadDecoder } from "@sluice/shared/codec/payload/registry.ts";
import type {
  PayloadContext,
  PayloadDecoder,
  ValueSink,
} from "@sluice/shared/codec/payload/payload-decoder.ts";
import { payloadSettingsSchema } from "@sluice/shared/codec/payload/settings.ts";

/** What a sink is told: a record's time (or refusal), or a value. */
export type Call =
  | readonly ["record", number | undefined, ...(readonly [device: string] | readonly [])]
  | readonly ["refuse", string, string]
  | readonly ["value", string, unknown, ...(readonly [unit: string] | readonly [])]
  | readonly ["event", string, string]
  | readonly ["request", string]
  | readonly ["ignore"];

/** A decoder of settings as an operator writes them. */
export const decoderOf = (settings: unknown): PayloadDecoder =>
  createPayloadDecoder(payloadSettingsSchema.parse(settings));

/** All calls that decoding a payload makes. Text is encoded as UTF-8; a context in words is the topic's metric. */
export function decodePayload(
  settings: unknown,
  payload: string | Uint8Array,
  context: string | Partial<PayloadContext> = {},
): Call[] {
  return callsOf(decoderOf(settings), payload, typeof context === "string" ? { metric: context } : context);
}

/** All calls that one more payload makes with a decoder that may remember earlier ones. */
export function callsOf(
  decoder: PayloadDecoder,
  payload: string | Uint8Array,
  context: Partial<PayloadContext> = {},
): Call[] {
  const calls: Call[] = [];
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const sink: ValueSink = {
    record: (measuredAtUs, device) =>
      void calls.push(device === undefined ? ["record", measuredAtUs] : ["record", measuredAtUs, device]),
    refuse: (reason, detail) => void calls.push(["refuse", reason, detail]),
    value: (metric, value, unit) =>
      void calls.push(unit === undefined ? ["value", metric, value] : ["value", metric, value, unit]),
    event: ({ kind, detail }) => void calls.push(["event", kind, detail]),
    request: ({ topic }) => void calls.push(["request", topic]),
    ignore: () => void calls.push(["ignore"]),
  };
  decoder.decode(bytes, sink, {
    topic: "plant/p1",
    metric: undefined,
    receivedAtUs: 0,
    isAgain: false,
    ...context,
  });
  return calls;
}
