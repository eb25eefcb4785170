import type { Spectrum } from "./spectrum.ts";

/** A frequency and its multiples, as something that repeats shows in a spectrum. */
export interface HarmonicSeries {
  readonly hz: number;
  /** How many of the multiples, the frequency itself being the first. */
  readonly harmonics: number;
  /** How far from each multiple its line may lie, as a share of the multiple: balls slip. */
  readonly tolerance: number;
}

/** Cycles in the waveform that a frequency needs, so that the lines of two multiples can be told apart. */
const CYCLES_MIN = 4;

/**
 * The power within the tolerance of all multiples together, and at least one cycle per waveform around each.
 * Undefined where the spectrum ends below the highest or cannot tell two of them apart.
 */
export function seriesPower(spectrum: Spectrum, series: HarmonicSeries): number | undefined {
  if (!isWithin(spectrum, series)) return undefined;
  let sum = 0;
  for (let h = 1; h <= series.harmonics; h++) {
    const { from, to } = lineOf(spectrum, series, h);
    for (let k = from; k <= to; k++) sum += spectrum.power[k] ?? Number.NaN;
  }
  return sum;
}

/**
 * How far the multiples stand out: for each the highest bin within the tolerance over the median bin from half the
 * frequency below to half above, of which the least counts. What repeats has all of its multiples; a line of another
 * cause that happens to lie on one of them has not.
 *
 * In noise the power of a bin is exponential, so that its median is 0.69 of its mean and one bin is 10 medians high
 * once in 1,000: more than 10 is found by chance once in 100 for one multiple of ten bins, and in 1,000,000 for three.
 * Undefined as `seriesPower`, and where the median is 0.
 */
export function seriesProminence(spectrum: Spectrum, series: HarmonicSeries): number | undefined {
  if (!isWithin(spectrum, series)) return undefined;
  let least = Infinity;
  for (let h = 1; h <= series.harmonics; h++) {
    const { from, to } = lineOf(spectrum, series, h);
    let highest = 0;
    for (let k = from; k <= to; k++) highest = Math.max(highest, spectrum.power[k] ?? Number.NaN);
    const floor = floorAround(spectrum, series, h);
    if (floor === 0) return undefined;
    least = Math.min(least, highest / floor);
  }
  return least;
}

function isWithin(spectrum: Spectrum, series: HarmonicSeries): boolean {
  const { hz, harmonics } = series;
  const lobeHz = spectrum.lobeBins * spectrum.binHz; // Two cycles per waveform.
  return hz * 2 >= lobeHz * CYCLES_MIN && lineOf(spectrum, series, harmonics).to < spectrum.power.length;
}

/** The bins of a multiple, both included. */
function lineOf(
  { binHz, lobeBins }: Spectrum,
  { hz, tolerance }: HarmonicSeries,
  h: number,
): { readonly from: number; readonly to: number } {
  const center = (h * hz) / binHz;
  const reach = Math.max(tolerance * center, lobeBins / 2);
  return { from: Math.max(0, Math.round(center - reach)), to: Math.round(center + reach) };
}

function floorAround({ binHz, power }: Spectrum, { hz }: HarmonicSeries, h: number): number {
  // Without bin 0, which holds what is left of the mean.
  const from = Math.max(1, Math.round(((h - 0.5) * hz) / binHz));
  const around = power.slice(from, Math.round(((h + 0.5) * hz) / binHz) + 1).sort();
  return around[around.length >> 1] ?? 0;
}
