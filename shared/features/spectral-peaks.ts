import type { Spectrum } from "./spectrum.ts";

/** A line of a spectrum. */
export interface SpectralPeak {
  readonly hz: number;
  /** The power of its main lobe. */
  readonly power: number;
}

/**
 * The line of a rank, 1 for the one with the highest bin; undefined where there are not so many.
 *
 * A line is a bin above the one before and not below the one after, so a drift, which falls from 0 Hz on, is none; the
 * main lobe of a higher line holds no other. Its frequency is the top of the parabola through the magnitudes of the
 * bin and its neighbours. Of equally high bins the lower frequency comes first.
 */
export function peakOfRank(spectrum: Spectrum, rank: number): SpectralPeak | undefined {
  const { power, lobeBins } = spectrum;
  const taken: number[] = [];
  for (;;) {
    let highest = -1;
    for (let k = 1; k < power.length - 1; k++) {
      const here = power[k] ?? 0;
      if (here <= (power[highest] ?? 0)) continue;
      if (here <= (power[k - 1] ?? 0) || here < (power[k + 1] ?? 0)) continue;
      if (!taken.some((other) => Math.abs(other - k) <= lobeBins)) highest = k;
    }
    if (highest === -1) return undefined;
    taken.push(highest);
    if (taken.length === rank) return peakAt(spectrum, highest);
  }
}

function peakAt({ binHz, power, lobeBins }: Spectrum, at: number): SpectralPeak {
  const before = Math.sqrt(power[at - 1] ?? 0);
  const here = Math.sqrt(power[at] ?? 0);
  const after = Math.sqrt(power[at + 1] ?? 0);
  const bend = before - 2 * here + after; // Below 0: `here` is above `before`.
  let sum = 0;
  for (let k = Math.max(0, at - lobeBins); k <= at + lobeBins; k++) sum += power[k] ?? 0;
  return { hz: (at + (before - after) / (2 * bend)) * binHz, power: sum };
}
