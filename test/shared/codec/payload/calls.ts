import { createPayloadDecoder } from "@sluice/shared/codec/payload/registry.ts";
import { payloadSettingsSchema } from "@sluice/shared/codec/payload/settings.ts";

/** What a sink is told: a record's time (or refusal), or a value. */
export type Call =
  | readonly ["record", number | undefined, ...(readonly [device: string] | readonly [])]
  | readonly ["refuse", string, string]
  | readonly ["value", string, unknown, ...(readonly [unit: string] | readonly [])]
  | readonly ["event", string, string]
  | readonly ["request", string];

/** All calls that decoding a payload makes. Text is encoded as UTF-8. */
export function decodePayload(settings: unknown, payload: string | Uint8Array, topicMetric?: string): Call[] {
  const calls: Call[] = [];
  const decoder = createPayloadDecoder(payloadSettingsSchema.parse(settings));
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const sink = {
    record: (measuredAtUs: number | undefined, device?: string) =>
      void calls.push(device === undefined ? ["record", measuredAtUs] : ["record", measuredAtUs, device]),
    refuse: (reason: string, detail: string) => void calls.push(["refuse", reason, detail]),
    value: (metric: string, value: unknown, unit?: string) =>
      void calls.push(unit === undefined ? ["value", metric, value] : ["value", metric, value, unit]),
    event: ({ kind, detail }: { kind: string; detail: string }) => void calls.push(["event", kind, detail]),
    request: ({ topic }: { topic: string }) => void calls.push(["request", topic]),
  };
  decoder.decode(bytes, sink, { topic: "plant/p1", metric: topicMetric, receivedAtUs: 0 });
  return calls;
}
