import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { inEventTime, type PublishedMessage, type Recording } from "./recording.ts";
import { type RecordedFile, SKAB_METRICS } from "./skab-files.ts";

/** Rows come once a second, so up to 20 of them change places. */
const DELAY_MS_MAX = 20_000;

/** The runs as JSON messages, one a row. */
export function skabRecording(files: readonly RecordedFile[], views: readonly FeatureView[]): Recording {
  const metrics = Object.keys(SKAB_METRICS);
  const messagesOf = ({ device, rows }: RecordedFile): PublishedMessage[] =>
    rows.map(({ measuredAtUs, values }) => ({
      device,
      topic: `plant/${device}/telemetry`,
      payload: new TextEncoder().encode(
        JSON.stringify({
          t: measuredAtUs,
          ...Object.fromEntries(metrics.map((metric, i) => [metric, values[i]])),
        }),
      ),
      endUs: measuredAtUs,
    }));
  return {
    name: "SKAB valve1",
    decode: {
      routes: [
        {
          topic: "plant/{device}/telemetry",
          deviceType: "pump",
          payload: {
            format: "json",
            time: { path: "t", unit: "us" },
            metrics: Object.fromEntries(metrics.map((metric) => [metric, metric])),
          },
        },
      ],
      duplicateWindowMessages: 1_000,
    },
    views,
    messages: inEventTime(files.map(messagesOf)),
    delayMsMax: DELAY_MS_MAX,
  };
}
