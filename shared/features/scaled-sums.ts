import type { Run } from "./part.ts";

// Sums over all readings of a window whose values are so large or so small that squares of them are no doubles: each
// value is first multiplied by a power of two, which is exact. They are rare, so nothing is shared between windows.

export type Extent = Readonly<Run>;

/** The compensated sum of the values times `scale`: Neumaier (1974). */
export function scaledTotal({ values, from, to }: Extent, scale: number): number {
  let sum = 0;
  let lost = 0;
  for (let i = from; i < to; i++) {
    const value = (values[i] ?? Number.NaN) * scale;
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return sum + lost;
}

export interface Scaled {
  readonly scale: number;
  /** The mean, scaled. */
  readonly mean: number;
}

export function scaledSquares({ values, from, to }: Extent, { scale, mean }: Scaled): number {
  let squares = 0;
  let rest = 0;
  for (let i = from; i < to; i++) {
    const deviation = (values[i] ?? Number.NaN) * scale - mean;
    squares += deviation * deviation;
    rest += deviation;
  }
  return Math.max(0, squares - (rest * rest) / (to - from));
}

/** Σz³ and Σz⁴ of z = (x - mean) / spread, for a spread in scaled units. */
export function scaledMoments(
  { values, from, to }: Extent,
  { scale, mean }: Scaled,
  spread: number,
): { readonly cubes: number; readonly fourths: number } {
  let cubes = 0;
  let fourths = 0;
  for (let i = from; i < to; i++) {
    const z = ((values[i] ?? Number.NaN) * scale - mean) / spread;
    cubes += z * z * z;
    fourths += z * z * z * z;
  }
  return { cubes, fourths };
}

/** Σx² and Σ|x|. */
export function scaledMagnitudes(
  { values, from, to }: Extent,
  scale: number,
): { readonly squares: number; readonly total: number } {
  let squares = 0;
  let total = 0;
  for (let i = from; i < to; i++) {
    const value = (values[i] ?? Number.NaN) * scale;
    squares += value * value;
    total += Math.abs(value);
  }
  return { squares, total };
}

/** Σ(t - mean)² and Σ(t - mean)(x - mean), of times in microseconds. */
export function scaledTrend(
  { times, values, from, to }: Extent,
  { scale, mean }: Scaled,
): { readonly squares: number; readonly products: number } {
  // From the first time on, so that a double holds them exactly.
  const origin = times[from] ?? Number.NaN;
  let total = 0;
  for (let i = from; i < to; i++) total += (times[i] ?? Number.NaN) - origin;
  const middle = total / (to - from);
  let squares = 0;
  let products = 0;
  for (let i = from; i < to; i++) {
    const time = (times[i] ?? Number.NaN) - origin - middle;
    squares += time * time;
    products += time * ((values[i] ?? Number.NaN) * scale - mean);
  }
  return { squares, products };
}
