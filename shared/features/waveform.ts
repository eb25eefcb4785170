import type { Samples } from "./samples.ts";

/** Fewest samples that a spectrum is made of. */
export const WAVEFORM_SAMPLES_MIN = 16;

/**
 * Most samples that a spectrum is made of, the newest ones: 21 s at 12 kHz. Spectra of a window, which the view's
 * engine keeps until the next one, then take about 30 MiB per input.
 */
export const WAVEFORM_SAMPLES_MAX = 262_144;

/** Spacings within this much of the usual one are even: times come rounded, and a sample that is missing doubles one. */
const EVEN_MIN = 0.5;
const EVEN_MAX = 1.5;

/** The evenly spaced samples of one window. */
export interface Waveform {
  readonly rateHz: number;
  /** The samples minus their mean, multiplied by `scale`. */
  readonly values: Float64Array;
  /** A power of two: the squares of extreme magnitudes are no doubles. */
  readonly scale: number;
}

/**
 * The longest evenly spaced row of the readings, the first of equally long ones; undefined below WAVEFORM_SAMPLES_MIN
 * samples.
 *
 * Even are times of which no two neighbours are less than half or more than one and a half of the usual spacing apart.
 * That is the mean spacing where all are even by it, else the median: so a gap, a burst or two readings of one time end
 * a row and do not distort it. The rate follows from the first time of the row, the last and the count, because single
 * times are rounded to microseconds; undefined also where a time is further than one spacing from where that puts it.
 */
export function waveformOf(samples: Samples): Waveform | undefined {
  const { count, scale } = samples;
  if (count < WAVEFORM_SAMPLES_MIN) return undefined;
  const lengthUs = samples.timeUs(count - 1) - samples.timeUs(0);
  let row = longestRow(samples, lengthUs / (count - 1));
  if (row.to - row.from < count) row = longestRow(samples, medianSpacing(samples));
  const from = Math.max(row.from, row.to - WAVEFORM_SAMPLES_MAX);
  if (row.to - from < WAVEFORM_SAMPLES_MIN) return undefined;
  const spacingUs = (samples.timeUs(row.to - 1) - samples.timeUs(from)) / (row.to - from - 1);
  for (let i = from; i < row.to; i++) {
    const evenUs = samples.timeUs(from) + (i - from) * spacingUs;
    if (Math.abs(samples.timeUs(i) - evenUs) > spacingUs) return undefined;
  }
  return {
    rateHz: 1_000_000 / spacingUs,
    values: deviations(samples, from, row.to),
    scale,
  };
}

function longestRow(samples: Samples, spacingUs: number): { readonly from: number; readonly to: number } {
  const { count } = samples;
  let longest = { from: 0, to: 0 };
  let from = 0;
  for (let i = 1; i <= count; i++) {
    const gapUs = i === count ? Infinity : samples.timeUs(i) - samples.timeUs(i - 1);
    // Also where all times are one, and no spacing is above half of 0.
    if (gapUs > spacingUs * EVEN_MIN && gapUs < spacingUs * EVEN_MAX) continue;
    if (i - from > longest.to - longest.from) longest = { from, to: i };
    from = i;
  }
  return longest;
}

function medianSpacing(samples: Samples): number {
  const gaps = new Float64Array(samples.count - 1);
  for (let i = 0; i < gaps.length; i++) gaps[i] = samples.timeUs(i + 1) - samples.timeUs(i);
  return gaps.sort()[gaps.length >> 1] ?? Number.NaN;
}

function deviations(samples: Samples, from: number, to: number): Float64Array {
  const values = new Float64Array(to - from);
  let sum = 0;
  for (let i = from; i < to; i++) {
    const deviation = samples.deviation(i); // From the mean of all, so that little is left to lose.
    values[i - from] = deviation;
    sum += deviation;
  }
  const mean = sum / values.length;
  for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? Number.NaN) - mean;
  return values;
}
