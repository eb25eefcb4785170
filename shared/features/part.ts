/** A row of readings: entries [from, to) of two columns, at least one. */
export interface Run {
  times: Float64Array;
  values: Float64Array;
  from: number;
  to: number;
}

/**
 * A partial result over a run of readings, from which that of a longer run follows: what overlapping windows share.
 *
 * `measure` writes `width` numbers at `at` of `into`, for one run; `basis` is what BASIS wrote for the same run. It must
 * be a function of the run alone. A function of the library adds the rows of `Samples.parts` up, from left to right.
 */
export interface Part {
  readonly width: number;
  measure(run: Run, basis: Float64Array, into: Float64Array, at: number): void;
}

/** What every other part may build on, in places of its row. */
export const COUNT = 0;
export const MIN = 1;
export const MAX = 2;
export const SUM = 3;
/** What the sum has lost to rounding: Neumaier (1974). */
export const LOST = 4;
/** About the mean of the run, clamped to between min and max. */
export const CENTER = 5;

export const BASIS: Part = {
  width: 6,
  measure({ values, from, to }, _basis, into, at) {
    let min = Infinity;
    let max = -Infinity;
    let sum = 0;
    let lost = 0;
    for (let i = from; i < to; i++) {
      const value = values[i] ?? Number.NaN;
      if (value < min) min = value;
      if (value > max) max = value;
      const next = sum + value;
      lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
      sum = next;
    }
    into[at + COUNT] = to - from;
    into[at + MIN] = min;
    into[at + MAX] = max;
    into[at + SUM] = sum;
    into[at + LOST] = lost;
    into[at + CENTER] = Math.min(Math.max((sum + lost) / (to - from), min), max);
  },
};

/** Σ(x - center) and Σ(x - center)². */
export const SQUARES: Part = {
  width: 2,
  measure({ values, from, to }, basis, into, at) {
    const center = basis[CENTER] ?? Number.NaN;
    let rest = 0;
    let squares = 0;
    for (let i = from; i < to; i++) {
      const deviation = (values[i] ?? Number.NaN) - center;
      squares += deviation * deviation;
      rest += deviation;
    }
    into[at] = rest;
    into[at + 1] = squares;
  },
};

/** Σ(x - center)³ and Σ(x - center)⁴. */
export const POWERS: Part = {
  width: 2,
  measure({ values, from, to }, basis, into, at) {
    const center = basis[CENTER] ?? Number.NaN;
    let cubes = 0;
    let fourths = 0;
    for (let i = from; i < to; i++) {
      const deviation = (values[i] ?? Number.NaN) - center;
      const square = deviation * deviation;
      cubes += square * deviation;
      fourths += square * square;
    }
    into[at] = cubes;
    into[at + 1] = fourths;
  },
};

/** Σx² and Σ|x|. */
export const MAGNITUDES: Part = {
  width: 2,
  measure({ values, from, to }, _basis, into, at) {
    let squares = 0;
    let total = 0;
    for (let i = from; i < to; i++) {
      const value = values[i] ?? Number.NaN;
      squares += value * value;
      total += Math.abs(value);
    }
    into[at] = squares;
    into[at + 1] = total;
  },
};

/** A whole time near the mean time T, Σ(t - T), Σ(t - T)² and Σ(t - T)(x - center), in microseconds. */
export const TREND: Part = {
  width: 4,
  measure({ times, values, from, to }, basis, into, at) {
    const center = basis[CENTER] ?? Number.NaN;
    // From the first time on, so that a double holds them exactly.
    const origin = times[from] ?? Number.NaN;
    let total = 0;
    for (let i = from; i < to; i++) total += (times[i] ?? Number.NaN) - origin;
    const middle = origin + Math.round(total / (to - from));
    let rest = 0;
    let squares = 0;
    let products = 0;
    for (let i = from; i < to; i++) {
      const time = (times[i] ?? Number.NaN) - middle;
      rest += time;
      squares += time * time;
      products += time * ((values[i] ?? Number.NaN) - center);
    }
    into[at] = middle;
    into[at + 1] = rest;
    into[at + 2] = squares;
    into[at + 3] = products;
  },
};

/** The first sign, the last one and how often it changes; 0 has none. */
export const SIGNS: Part = {
  width: 3,
  measure({ values, from, to }, _basis, into, at) {
    let first = 0;
    let last = 0;
    let changes = 0;
    for (let i = from; i < to; i++) {
      const sign = Math.sign(values[i] ?? Number.NaN);
      if (sign === 0) continue;
      if (first === 0) first = sign;
      else if (sign !== last) changes += 1;
      last = sign;
    }
    into[at] = first;
    into[at + 1] = last;
    into[at + 2] = changes;
  },
};
