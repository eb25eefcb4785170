import { withCompression } from "./compression.ts";
import { createCsvDecoder } from "./csv.ts";
import { createJsonDecoder } from "./json.ts";
import { createNumberDecoder } from "./number.ts";
import type { PayloadDecoder } from "./payload-decoder.ts";
import { createSenmlDecoder } from "./senml.ts";
import type { PayloadSettings } from "./settings.ts";
import { createSparkplugDecoder } from "./sparkplug.ts";
import { createWaveformBinaryDecoder, createWaveformJsonDecoder } from "./waveform.ts";

/** The decoder of a route's payloads, which unpacks them first. A new format is one file, its settings, one line here. */
export function createPayloadDecoder(settings: PayloadSettings): PayloadDecoder {
  return withCompression(settings, createFormatDecoder(settings));
}

function createFormatDecoder(settings: PayloadSettings): PayloadDecoder {
  if (settings.format === "json") return createJsonDecoder(settings);
  if (settings.format === "number") return createNumberDecoder();
  if (settings.format === "csv") return createCsvDecoder(settings);
  if (settings.format === "sparkplug-b") return createSparkplugDecoder(settings);
  if (settings.format === "waveform-json") return createWaveformJsonDecoder(settings);
  if (settings.format === "waveform-binary") return createWaveformBinaryDecoder(settings);
  return createSenmlDecoder(settings);
}
