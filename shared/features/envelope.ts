import { type ComplexColumns, powerOfTwoFrom, transform } from "./fft.ts";

/** A band of frequencies. */
export interface Band {
  readonly fromHz: number;
  readonly toHz: number;
}

/** Fewest bins that a band is worth an envelope: of fewer it is as good as constant. */
const BAND_BINS_MIN = 8;

/** The envelope of one band of a signal. */
export interface Envelope {
  readonly rateHz: number;
  readonly values: Float64Array;
}

/**
 * The envelope of a band of a signal: the magnitude of the analytic signal (Hilbert) of what is in the band.
 *
 * From the bins of the band alone: those of negative frequencies left out and the band moved down to 0, which changes
 * no magnitude, so the inverse transform is as short as twice the band allows and the envelope has a lower rate. Its
 * values are |(2 / n) Σ X_k e^(2πi j(k - from) / M)|, where X are bins 0 to n / 2 of the signal padded to n. Undefined
 * where the spectrum has too little of the band.
 */
export function envelopeOf(
  bins: ComplexColumns,
  signal: { readonly rateHz: number; readonly samples: number },
  band: Band,
): Envelope | undefined {
  const last = bins.re.length - 1;
  const points = 2 * last;
  const binHz = signal.rateHz / points;
  // The first and the last bin stand for both signs at once, and the first is the mean.
  const from = Math.max(1, Math.ceil(band.fromHz / binHz));
  const end = Math.min(last, Math.floor(band.toHz / binHz) + 1);
  const width = end - from;
  if (!(width >= BAND_BINS_MIN)) return undefined;
  const moved = powerOfTwoFrom(2 * width);
  const analytic = { re: new Float64Array(moved), im: new Float64Array(moved) };
  analytic.re.set(bins.re.subarray(from, end));
  analytic.im.set(bins.im.subarray(from, end));
  transform({ re: analytic.im, im: analytic.re }); // The columns exchanged: the inverse.
  const values = new Float64Array(Math.ceil((signal.samples * moved) / points));
  for (let j = 0; j < values.length; j++) {
    const re = analytic.re[j] ?? Number.NaN;
    const im = analytic.im[j] ?? Number.NaN;
    values[j] = (2 * Math.sqrt(re * re + im * im)) / points;
  }
  return { rateHz: (signal.rateHz * moved) / points, values };
}
