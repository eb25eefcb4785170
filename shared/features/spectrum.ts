import { powerOfTwoFrom, transformReal } from "./fft.ts";
import { cosineOfTurns } from "./turns.ts";

/** How the mean square of a signal is spread over frequencies from 0 to half the sampling rate. */
export interface Spectrum {
  /** From one bin to the next. */
  readonly binHz: number;
  /** The power of each bin, in squares of the signal's unit: what the bins of a band add up to is its mean square. */
  readonly power: Float64Array;
  /** How many bins the main lobe of a pure tone reaches to either side. */
  readonly lobeBins: number;
}

/**
 * The one-sided power spectrum of evenly spaced values by Hann's window.
 *
 * With w_i = (1 - cos(2π i / m)) / 2 over the m values, padded with zeros to n, a power of two:
 * P_k = c_k |Σ w_i x_i e^(-2πi ik / n)|² / (n Σ w_i²), where c_k is 2, but 1 for the first and the last bin. So ΣP_k is
 * Σ(w_i x_i)² / Σw_i² (Parseval), and a tone of amplitude A has A² / 2 in its main lobe, two cycles per m values wide to
 * either side (Harris 1978, "On the use of windows for harmonic analysis").
 */
export function spectrumOf(values: Float64Array, rateHz: number): Spectrum {
  const { windowed, squares } = hannWindowed(values);
  const bins = transformReal(windowed);
  const points = windowed.length;
  const power = new Float64Array(bins.re.length);
  for (let k = 0; k < power.length; k++) {
    const re = bins.re[k] ?? Number.NaN;
    const im = bins.im[k] ?? Number.NaN;
    const sides = k === 0 || k === power.length - 1 ? 1 : 2;
    power[k] = (sides * (re * re + im * im)) / (points * squares);
  }
  return { binHz: rateHz / points, power, lobeBins: Math.ceil((2 * points) / values.length) };
}

/** The values in Hann's window with the padding, the window's sum and the sum of its squares: m / 2 and 3 m / 8. */
export function hannWindowed(values: Float64Array): {
  readonly windowed: Float64Array;
  readonly sum: number;
  readonly squares: number;
} {
  const { length } = values;
  const windowed = new Float64Array(powerOfTwoFrom(length));
  for (let i = 0; i < length; i++)
    windowed[i] = ((1 - cosineOfTurns(i / length)) / 2) * (values[i] ?? Number.NaN);
  return { windowed, sum: length / 2, squares: (3 * length) / 8 };
}

/** The power from one frequency to below another one; undefined where the spectrum ends below the first. */
export function powerBetween(
  { binHz, power }: Spectrum,
  { fromHz, toHz }: { readonly fromHz: number; readonly toHz: number },
): number | undefined {
  const from = Math.ceil(fromHz / binHz);
  if (from >= power.length) return undefined;
  const end = Math.min(Math.ceil(toHz / binHz), power.length);
  let sum = 0;
  for (let k = from; k < end; k++) sum += power[k] ?? Number.NaN;
  return sum;
}

/** The power of all bins. */
export function totalPower({ power }: Spectrum): number {
  let sum = 0;
  for (const part of power) sum += part;
  return sum;
}
