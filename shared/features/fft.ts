import { cosineOfTurns, sineOfTurns } from "./turns.ts";

/** Complex numbers in two columns of one length. */
export interface ComplexColumns {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** e^(-2πi k / n) for k below n / 2, by n: at most one table per power of two that was asked for. */
const twiddles = new Map<number, ComplexColumns>();

/**
 * The discrete Fourier transform Σ z_j e^(-2πi jk / n), in place; n must be a power of two.
 *
 * Cooley and Tukey (1965), radix 2, with factors from `turns.ts`, so the same bits everywhere. Exchange the two columns
 * for the inverse transform, which is then n times too large.
 */
export function transform({ re, im }: ComplexColumns): void {
  const n = re.length;
  reorder(re, im);
  const { re: cosines, im: sines } = twiddlesOf(n);
  for (let half = 1; half < n; half *= 2) {
    const step = n / (2 * half);
    for (let start = 0; start < n; start += 2 * half) {
      for (let low = start, at = 0; low < start + half; low++, at += step) {
        const high = low + half;
        const c = cosines[at] ?? Number.NaN;
        const s = sines[at] ?? Number.NaN;
        const a = re[high] ?? Number.NaN;
        const b = im[high] ?? Number.NaN;
        const x = re[low] ?? Number.NaN;
        const y = im[low] ?? Number.NaN;
        const p = a * c - b * s;
        const q = a * s + b * c;
        re[high] = x - p;
        im[high] = y - q;
        re[low] = x + p;
        im[low] = y + q;
      }
    }
  }
}

/** Bins 0 to n / 2 of the transform of n real numbers, n a power of two from 4 on, by one of n / 2 complex ones. */
export function transformReal(values: Float64Array): ComplexColumns {
  const half = values.length / 2;
  const z = { re: new Float64Array(half), im: new Float64Array(half) };
  for (let i = 0; i < half; i++) {
    z.re[i] = values[2 * i] ?? Number.NaN;
    z.im[i] = values[2 * i + 1] ?? Number.NaN;
  }
  transform(z);
  const { re: cosines, im: sines } = twiddlesOf(values.length);
  const bins = { re: new Float64Array(half + 1), im: new Float64Array(half + 1) };
  for (let k = 0; k <= half; k++) {
    const mirror = (half - k) % half;
    const a = z.re[k % half] ?? Number.NaN;
    const b = z.im[k % half] ?? Number.NaN;
    const c = z.re[mirror] ?? Number.NaN;
    const d = -(z.im[mirror] ?? Number.NaN);
    const evenRe = (a + c) / 2;
    const evenIm = (b + d) / 2;
    const oddRe = (b - d) / 2;
    const oddIm = (c - a) / 2;
    const cosine = k === half ? -1 : (cosines[k] ?? Number.NaN);
    const sine = k === half ? 0 : (sines[k] ?? Number.NaN);
    bins.re[k] = evenRe + oddRe * cosine - oddIm * sine;
    bins.im[k] = evenIm + oddRe * sine + oddIm * cosine;
  }
  return bins;
}

/** The power of two at or above a number. */
export function powerOfTwoFrom(count: number): number {
  let power = 1;
  while (power < count) power *= 2;
  return power;
}

function twiddlesOf(n: number): ComplexColumns {
  const known = twiddles.get(n);
  if (known !== undefined) return known;
  const half = n / 2;
  const made = { re: new Float64Array(half), im: new Float64Array(half) };
  for (let k = 0; k < half; k++) {
    made.re[k] = cosineOfTurns(k / n);
    made.im[k] = -sineOfTurns(k / n);
  }
  twiddles.set(n, made);
  return made;
}

/** Moves each entry to the place whose bits are those of its own in reverse. */
function reorder(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i >= j) continue;
    const re0 = re[i] ?? Number.NaN;
    const im0 = im[i] ?? Number.NaN;
    re[i] = re[j] ?? Number.NaN;
    im[i] = im[j] ?? Number.NaN;
    re[j] = re0;
    im[j] = im0;
  }
}
