import { spectraOf } from "../spectra.ts";
import { powerBetween } from "../spectrum.ts";
import type { OneInput } from "./function.ts";
import { bandOf, HZ, refuseBand } from "./spectral-settings.ts";

/**
 * The part of the mean square about the mean that lies between two frequencies, the first included: the one-sided power
 * spectrum by Hann's window summed over the band (`spectrum.ts`, Parseval). Undefined where there is no waveform
 * (`waveform.ts`) and where half the sampling rate is below the band; what is above it is not in it. 0 for a constant
 * signal. Unit: the input's, squared.
 */
export const bandEnergy: OneInput = {
  name: "band_energy",
  kind: "one input",
  summary:
    "The mean square of what a waveform has from `from_hz` to below `to_hz`; none where half the sampling rate is below the band.",
  unit: "input^2",
  settings: { from_hz: HZ, to_hz: HZ },
  refuse: refuseBand,
  evaluate(input, { settings }) {
    const spectrum = spectraOf(input).spectrum();
    if (spectrum === undefined) return undefined;
    const power = powerBetween(spectrum, bandOf(settings));
    return power === undefined ? undefined : power / spectrum.scale / spectrum.scale;
  },
};
