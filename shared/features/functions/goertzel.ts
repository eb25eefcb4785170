import { spectraOf } from "../spectra.ts";
import { hannWindowed } from "../spectrum.ts";
import { cosineOfTurns, sineOfTurns } from "../turns.ts";
import { numberOf, type OneInput } from "./function.ts";
import { HZ } from "./spectral-settings.ts";

/**
 * The amplitude at one frequency, which need not be a bin: 2 |Σ w_i x_i e^(-2πi f i / rate)| / Σ w_i by Hann's window
 * w, so A for a tone A cos(2π f t). By Goertzel's recurrence s_i = w_i x_i + 2 cos(2π f / rate) s_(i-1) - s_(i-2)
 * (1958): one frequency costs one pass. Undefined where there is no waveform (`waveform.ts`) and from half the sampling
 * rate on; 0 for a constant signal. Unit: the input's.
 */
export const goertzel: OneInput = {
  name: "goertzel",
  kind: "one input",
  summary: "The amplitude of a waveform at the frequency `hz`; none from half the sampling rate on.",
  unit: "input",
  settings: { hz: HZ },
  evaluate(input, { settings }) {
    const { waveform } = spectraOf(input);
    const hz = numberOf(settings, "hz");
    if (waveform === undefined || hz * 2 >= waveform.rateHz) return undefined;
    const { windowed, sum } = hannWindowed(waveform.values);
    const turns = hz / waveform.rateHz;
    const cosine = cosineOfTurns(turns);
    let last = 0;
    let before = 0;
    for (let i = 0; i < waveform.values.length; i++) {
      const next = (windowed[i] ?? Number.NaN) + 2 * cosine * last - before;
      before = last;
      last = next;
    }
    const re = last - before * cosine;
    const im = before * sineOfTurns(turns);
    return (2 * Math.sqrt(re * re + im * im)) / sum / waveform.scale;
  },
};
