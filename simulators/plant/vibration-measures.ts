import { fourier } from "./fourier.ts";

const STANDARD_GRAVITY_MM_S2 = 9_806.65;

/** The band of vibration severity (ISO 20816-1: 10 Hz to 1,000 Hz). */
const SEVERITY_BAND_HZ = [10, 1_000] as const;
/** The band around the housing's resonance that is demodulated for bearing defects. */
const ENVELOPE_BAND_HZ = [2_000, 4_500] as const;

/** What a smart vibration sensor reports of a block. */
export interface VibrationMeasures {
  readonly rmsG: number;
  /** RMS of the velocity from 10 Hz to 1,000 Hz. */
  readonly velocityMmS: number;
  /** RMS of how the envelope of the band around the resonance moves: impacts that come again and again. */
  readonly envelopeG: number;
  /** Of the acceleration; 3 for noise, more with impacts. */
  readonly kurtosis: number;
  /** Peak over RMS. */
  readonly crest: number;
}

/** Measures a block of accelerations in g; its length must be a power of two. */
export function measureVibration(block: Float64Array, sampleRateHz: number): VibrationMeasures {
  const n = block.length;
  const mean = block.reduce((sum, value) => sum + value, 0) / n;
  let [second, fourth, peak] = [0, 0, 0];
  for (const value of block) {
    const square = (value - mean) ** 2;
    second += square;
    fourth += square * square;
    peak = Math.max(peak, square);
  }
  second /= n;
  const spectrum = windowedSpectrum(block, mean);
  return {
    rmsG: Math.sqrt(second),
    velocityMmS: velocityRms(spectrum, sampleRateHz),
    envelopeG: envelopeRms(block, sampleRateHz),
    kurtosis: second === 0 ? 0 : fourth / n / second ** 2,
    crest: second === 0 ? 0 : Math.sqrt(peak / second),
  };
}

interface Spectrum {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** The spectrum under a Hann window, scaled so that powers add up to the signal's. */
function windowedSpectrum(block: Float64Array, mean: number): Spectrum {
  const n = block.length;
  const hannPower = 3 / 8;
  const re = block.map(
    (value, i) => ((value - mean) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n))) / Math.sqrt(hannPower),
  );
  const spectrum = { re, im: new Float64Array(n) };
  fourier(spectrum);
  return spectrum;
}

/** Velocity is acceleration over 2πf, added up by power over the band (Parseval). */
function velocityRms({ re, im }: Spectrum, sampleRateHz: number): number {
  const n = re.length;
  let power = 0;
  for (let i = 1; i < n / 2; i++) {
    const hz = (i * sampleRateHz) / n;
    if (hz < SEVERITY_BAND_HZ[0] || hz > SEVERITY_BAND_HZ[1]) continue;
    const toVelocity = STANDARD_GRAVITY_MM_S2 / (2 * Math.PI * hz);
    power += (2 * ((re[i] ?? 0) ** 2 + (im[i] ?? 0) ** 2) * toVelocity ** 2) / n ** 2;
  }
  return Math.sqrt(power);
}

/** The band's analytic signal has the envelope as its size (Hilbert transform by its spectrum). */
function envelopeRms(block: Float64Array, sampleRateHz: number): number {
  const n = block.length;
  const band = { re: block.slice(), im: new Float64Array(n) };
  fourier(band);
  for (let i = 0; i < n; i++) {
    const hz = (i * sampleRateHz) / n;
    const gain = i < n / 2 && hz >= ENVELOPE_BAND_HZ[0] && hz <= ENVELOPE_BAND_HZ[1] ? 2 : 0;
    band.re[i] = (band.re[i] ?? 0) * gain;
    band.im[i] = (band.im[i] ?? 0) * gain;
  }
  fourier(band, true);
  const envelope = band.re.map((value, i) => Math.hypot(value, band.im[i] ?? 0));
  const mean = envelope.reduce((sum, value) => sum + value, 0) / n;
  return Math.sqrt(envelope.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
}
