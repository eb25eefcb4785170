import { naturalLog } from "../logarithm.ts";
import { spectraOf } from "../spectra.ts";
import { totalPower } from "../spectrum.ts";
import type { OneInput } from "./function.ts";

/**
 * How evenly the power is spread over frequencies, from 0 for a single bin to 1 for the same in all K bins: Shannon's
 * entropy -Σ p ln p / ln K of the shares p of the bins of the one-sided power spectrum by Hann's window
 * (`spectrum.ts`). Undefined where there is no waveform (`waveform.ts`) and for a constant signal. Unit: 1.
 */
export const spectralEntropy: OneInput = {
  name: "spectral_entropy",
  kind: "one input",
  summary:
    "How evenly a waveform's power is spread over frequencies, from 0 for a tone to 1 for white noise; none for a constant signal.",
  unit: "1",
  evaluate(input) {
    const spectrum = spectraOf(input).spectrum();
    if (spectrum === undefined) return undefined;
    const total = totalPower(spectrum);
    if (total === 0) return undefined;
    let entropy = 0;
    for (const power of spectrum.power) {
      const share = power / total;
      if (share > 0) entropy -= share * naturalLog(share);
    }
    return Math.min(1, Math.max(0, entropy / naturalLog(spectrum.power.length)));
  },
};
