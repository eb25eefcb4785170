import { spectraOf } from "../spectra.ts";
import { totalPower } from "../spectrum.ts";
import type { OneInput } from "./function.ts";

/**
 * The mean frequency, each weighted by its power: Σ f_k P_k / Σ P_k over the one-sided power spectrum by Hann's window
 * (`spectrum.ts`), the mean of the signal left out. Undefined where there is no waveform (`waveform.ts`) and for a
 * constant signal. Unit: Hz.
 */
export const spectralCentroid: OneInput = {
  name: "spectral_centroid",
  kind: "one input",
  summary: "The mean frequency of a waveform, weighted by power; none for a constant signal.",
  unit: "Hz",
  evaluate(input) {
    const spectrum = spectraOf(input).spectrum();
    if (spectrum === undefined) return undefined;
    const total = totalPower(spectrum);
    if (total === 0) return undefined;
    let moments = 0;
    for (const [k, power] of spectrum.power.entries()) moments += k * power;
    return (moments / total) * spectrum.binHz;
  },
};
