import { spectraOf } from "../spectra.ts";
import { peakOfRank } from "../spectral-peaks.ts";
import { numberOf, type OneInput } from "./function.ts";
import { BAND, bandOf, RANK, refuseBand } from "./spectral-settings.ts";

/**
 * The frequency of the highest line of the envelope's spectrum, or of the line of a lower `rank`: how often what
 * modulates the band from `from_hz` to `to_hz` most strongly repeats (see `envelope_energy`). Undefined where there is
 * no waveform (`waveform.ts`), where it has too little of the band, and where there are fewer lines. Unit: Hz.
 */
export const envelopeFrequency: OneInput = {
  name: "envelope_frequency",
  kind: "one input",
  summary:
    "The frequency of the highest line in the envelope spectrum of a band of a waveform, or of the one of a lower `rank`.",
  unit: "Hz",
  settings: { rank: RANK, ...BAND },
  refuse: refuseBand,
  evaluate(input, { settings }) {
    const spectrum = spectraOf(input).envelope(bandOf(settings));
    return spectrum === undefined ? undefined : peakOfRank(spectrum, numberOf(settings, "rank"))?.hz;
  },
};
