import { seriesPower } from "../harmonics.ts";
import { spectraOf } from "../spectra.ts";
import { numberOf, type OneInput } from "./function.ts";
import { BAND, bandOf, HZ, refuseSeries, SERIES, seriesOf } from "./spectral-settings.ts";

/**
 * The power of the envelope at the frequency `hz` and its multiples: how strongly something that repeats so often
 * modulates the band from `from_hz` to `to_hz` of the waveform.
 *
 * The envelope is the magnitude of the band's analytic signal (`envelope.ts`), its spectrum that of `spectrum.ts`
 * without the mean, and the bins within the tolerance of each multiple are summed (`harmonics.ts`; Randall and Antoni
 * 2011, "Rolling element bearing diagnostics: a tutorial"). Undefined where there is no waveform (`waveform.ts`), where
 * it has too little of the band, and where the envelope's spectrum does not resolve or reach the multiples. Unit: the
 * input's, squared.
 */
export const envelopeEnergy: OneInput = {
  name: "envelope_energy",
  kind: "one input",
  summary:
    "The mean square of the envelope of a band of a waveform at the frequency `hz` and its `harmonics`; none where the waveform is too short for it.",
  unit: "input^2",
  settings: { hz: HZ, ...SERIES, ...BAND },
  refuse: refuseSeries,
  evaluate(input, { settings }) {
    const spectrum = spectraOf(input).envelope(bandOf(settings));
    if (spectrum === undefined) return undefined;
    const power = seriesPower(spectrum, { hz: numberOf(settings, "hz"), ...seriesOf(settings) });
    return power === undefined ? undefined : power / spectrum.scale / spectrum.scale;
  },
};
