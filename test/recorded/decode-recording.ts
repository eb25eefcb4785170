import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { Decoder } from "../../edge/decode/decoder.ts";
import { decodeSettingsSchema } from "../../edge/decode/settings.ts";
import type { Recording } from "./recording.ts";

/** Messages of one call of the decoder. */
const CALL_MESSAGES = 200;

export function decoderOf({ decode }: Recording): Decoder {
  const settings = decodeSettingsSchema.parse(decode);
  return new Decoder({ routes: settings.routes, contracts: settings.contracts, limits: settings });
}

/** The readings of a recording as a gateway decodes them that gets every message once, in event time and at once. */
export function* decodeInOrder(recording: Recording): Generator<ReadingBlock> {
  const decoder = decoderOf(recording);
  for (let from = 0; from < recording.messages.length; from += CALL_MESSAGES) {
    const messages = recording.messages.slice(from, from + CALL_MESSAGES);
    const { readings, quarantine } = decoder.decode(
      messages.map(({ device, topic, payload, endUs }, i) => ({
        client: device,
        packetId: 0,
        qos: 0,
        dup: false,
        retain: false,
        topic,
        payload,
        receivedAtUs: endUs,
        offset: from + i,
      })),
    );
    if (quarantine.length > 0) throw new Error(`refused: ${JSON.stringify(quarantine[0])}`);
    yield readings;
  }
}
