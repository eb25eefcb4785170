import { featureViewSchema, type FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { VibrationRecord } from "./cwru-files.ts";
import { inEventTime, type PublishedMessage, type Recording } from "./recording.ts";

const START_US = Date.parse("2026-01-05T08:00:00Z") * 1_000;

/** A tenth of a second at 12 kHz: whole microseconds, so that no time depends on how a record is cut. */
const MESSAGES_PER_S = 10;
const DELAY_MS_MAX = 700;

/** The records as waveforms of a tenth of a second, float32 after the time of the first sample, and the speed once a second. */
export function recordingOf(records: readonly VibrationRecord[], views: readonly FeatureView[]): Recording {
  const rates = [...new Set(records.map(({ rateHz }) => rateHz))];
  return {
    name: "CWRU",
    decode: {
      routes: [
        ...rates.map((rateHz) => ({
          topic: `bearing/{device}/${rateHz}/{metric}`,
          deviceType: "bearing",
          payload: { format: "waveform-binary", type: "float32", rateHz, start: { unit: "us" } },
        })),
        {
          topic: "bearing/{device}/speed",
          deviceType: "bearing",
          payload: { format: "json", time: { path: "t", unit: "us" }, metrics: { speed: "rpm" } },
        },
      ],
      // A sixth of the default readings per message: what a generation of the filter remembers is counted in readings.
      duplicateWindowMessages: 400,
    },
    views,
    messages: inEventTime(records.map(messagesOf)),
    delayMsMax: DELAY_MS_MAX,
  };
}

function messagesOf({ device, rpm, rateHz, samples }: VibrationRecord): PublishedMessage[] {
  const size = rateHz / MESSAGES_PER_S;
  const messages: PublishedMessage[] = [];
  for (let n = 0; n * size < samples.length; n++) {
    const startUs = START_US + (n * 1_000_000) / MESSAGES_PER_S;
    const part = samples.subarray(n * size, (n + 1) * size);
    const bytes = new DataView(new ArrayBuffer(8 + part.length * 4));
    bytes.setBigInt64(0, BigInt(startUs), true);
    for (const [i, sample] of part.entries()) bytes.setFloat32(8 + i * 4, sample, true);
    const endUs = startUs + ((part.length - 1) * 1_000_000) / rateHz;
    const topic = `bearing/${device}/${rateHz}/vibration`;
    messages.push({ device, topic, payload: new Uint8Array(bytes.buffer), endUs });
    if (n % MESSAGES_PER_S !== 0) continue;
    const payload = new TextEncoder().encode(JSON.stringify({ t: startUs, rpm }));
    messages.push({ device, topic: `bearing/${device}/speed`, payload, endUs: startUs });
  }
  return messages;
}

/** A view of such devices. */
export function bearingView(name: string, window: object, features: readonly object[]): FeatureView {
  return featureViewSchema.parse({
    name,
    owner: "reliability",
    match: { deviceType: "bearing" },
    window: { allowedLatenessMs: 1_000, correctionMs: 1_000, ...window },
    inputs: {
      vibration: { metric: "vibration", unit: "g" },
      speed: { metric: "speed", unit: "rpm" },
    },
    features,
  });
}
