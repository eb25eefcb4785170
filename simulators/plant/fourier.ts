import { assert } from "@sluice/shared/runtime/assert.ts";

/** A complex signal or spectrum. */
export interface Complex {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/**
 * The discrete Fourier transform in place (radix 2, Cooley & Tukey 1965); the length must be a power of two.
 *
 * `inverse` transforms back, divided by the length, so that there and back is the same signal.
 */
export function fourier({ re, im }: Complex, inverse = false): void {
  const n = re.length;
  assert(
    n > 0 && (n & (n - 1)) === 0 && im.length === n,
    "a Fourier transform has a power of two of samples",
  );
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      swap(re, i, j);
      swap(im, i, j);
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    const step = ((inverse ? 2 : -2) * Math.PI) / size;
    for (let k = 0; k < size / 2; k++) {
      const cos = Math.cos(step * k);
      const sin = Math.sin(step * k);
      for (let at = k; at < n; at += size) {
        const other = at + size / 2;
        const [ar, ai, br, bi] = [re[at] ?? 0, im[at] ?? 0, re[other] ?? 0, im[other] ?? 0];
        const tr = br * cos - bi * sin;
        const ti = br * sin + bi * cos;
        re[at] = ar + tr;
        im[at] = ai + ti;
        re[other] = ar - tr;
        im[other] = ai - ti;
      }
    }
  }
  if (!inverse) return;
  for (let i = 0; i < n; i++) {
    re[i] = (re[i] ?? 0) / n;
    im[i] = (im[i] ?? 0) / n;
  }
}

function swap(values: Float64Array, i: number, j: number): void {
  const value = values[i] ?? 0;
  values[i] = values[j] ?? 0;
  values[j] = value;
}
