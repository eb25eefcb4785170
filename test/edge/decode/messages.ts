import type { RawMessage } from "@sluice/shared/contract/message.ts";
import { Decoder } from "../../../edge/decode/decoder.ts";
import { decodeSettingsSchema } from "../../../edge/decode/settings.ts";

/** Arrival of the message at offset 0: 2024-01-01T00:00:00Z; each further offset is a millisecond later. */
export const START_US = 1_704_067_200_000_000;

/** A message with a payload as text, as bytes, or as anything that is sent as JSON. */
export function messageOf(offset: number, topic: string, payload: unknown): RawMessage {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  return {
    offset,
    client: "client-1",
    packetId: 1,
    qos: 1,
    dup: false,
    retain: false,
    topic,
    payload: payload instanceof Uint8Array ? payload : new TextEncoder().encode(text),
    receivedAtUs: START_US + offset * 1_000,
  };
}

/** A decoder of settings as an operator writes them. */
export function decoderOf(settings: unknown): Decoder {
  const parsed = decodeSettingsSchema.parse(settings);
  return new Decoder({ ...parsed, limits: parsed });
}
