import { spectraOf } from "../spectra.ts";
import { peakOfRank } from "../spectral-peaks.ts";
import { numberOf, type OneInput } from "./function.ts";
import { RANK } from "./spectral-settings.ts";

/**
 * The frequency of the highest line of the power spectrum by Hann's window, or of the line of a lower `rank`
 * (`spectral-peaks.ts`). Undefined where there is no waveform (`waveform.ts`), for a constant signal, and where there
 * are fewer lines than that. Unit: Hz.
 */
export const dominantFrequency: OneInput = {
  name: "dominant_frequency",
  kind: "one input",
  summary: "The frequency of a waveform's highest spectral line, or of the one of a lower `rank`.",
  unit: "Hz",
  settings: { rank: RANK },
  evaluate(input, { settings }) {
    const spectrum = spectraOf(input).spectrum();
    return spectrum === undefined ? undefined : peakOfRank(spectrum, numberOf(settings, "rank"))?.hz;
  },
};
