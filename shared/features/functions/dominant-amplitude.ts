import { spectraOf } from "../spectra.ts";
import { peakOfRank } from "../spectral-peaks.ts";
import { numberOf, type OneInput } from "./function.ts";
import { RANK } from "./spectral-settings.ts";

/**
 * The amplitude A of the tone A cos(2π f t) that has the power of the main lobe of the line that `dominant_frequency`
 * gives: √(2 Σ P_k) over the lobe. Undefined as there. Unit: the input's.
 */
export const dominantAmplitude: OneInput = {
  name: "dominant_amplitude",
  kind: "one input",
  summary: "The amplitude of a waveform's highest spectral line, or of the one of a lower `rank`.",
  unit: "input",
  settings: { rank: RANK },
  evaluate(input, { settings }) {
    const spectrum = spectraOf(input).spectrum();
    if (spectrum === undefined) return undefined;
    const peak = peakOfRank(spectrum, numberOf(settings, "rank"));
    return peak === undefined ? undefined : Math.sqrt(2 * peak.power) / spectrum.scale;
  },
};
