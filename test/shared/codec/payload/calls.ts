import { createPayloadDecoder } from "@sluice/shared/codec/payload/registry.ts";
import { payloadSettingsSchema } from "@sluice/shared/codec/payload/settings.ts";

/** What a sink is told: a record's time (or refusal), or a value. */
export type Call =
  | readonly ["record", number | undefined]
  | readonly ["refuse", string, string]
  | readonly ["value", string, unknown];

/** All calls that decoding a payload makes. Text is encoded as UTF-8. */
export function decodePayload(settings: unknown, payload: string | Uint8Array, topicMetric?: string): Call[] {
  const calls: Call[] = [];
  const decoder = createPayloadDecoder(payloadSettingsSchema.parse(settings));
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const sink = {
    record: (measuredAtUs: number | undefined) => void calls.push(["record", measuredAtUs]),
    refuse: (reason: string, detail: string) => void calls.push(["refuse", reason, detail]),
    value: (metric: string, value: unknown) => void calls.push(["value", metric, value]),
  };
  decoder.decode(bytes, sink, topicMetric);
  return calls;
}
