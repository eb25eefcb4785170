import type { Panes } from "./panes.ts";
import {
  BASIS,
  CENTER,
  COUNT,
  LOST,
  MAGNITUDES,
  MAX,
  MIN,
  type Part,
  POWERS,
  type Run,
  SIGNS,
  SQUARES,
  SUM,
  TREND,
} from "./part.ts";
import { scaledMagnitudes, scaledMoments, scaledSquares, scaledTotal, scaledTrend } from "./scaled-sums.ts";
import type { SortedReadings } from "./sorted-readings.ts";
import { type PartRows, WindowParts } from "./window-parts.ts";

const EMPTY: Float64Array = new Float64Array(0);

/** Beyond these magnitudes squares overflow or underflow, so sums of squares are taken on scaled values. */
const LARGE = 2 ** 300;
const SMALL = 2 ** -300;
const SCALE = 2 ** 600;

/** Between these, fourth powers of deviations that a double can tell from 0 are doubles too. */
const POWERS_LARGE = 2 ** 200;
const POWERS_SMALL = 2 ** -200;

/** Windows with fewer readings per pane are measured as a whole: adding up would cost as much. */
const PANE_READINGS_MIN = 16;

/**
 * The readings of one input in one window, ordered by event time, then offset, then index: what a function sees.
 *
 * What several functions need (sum, mean, squares, the sorted values) is computed once, when first asked for, and of
 * overlapping windows from the parts of their panes, so that a window costs what it does not share with others. The
 * object is used again for the next window: keep no reference to it. Powers of two scale values of extreme
 * magnitude, which is exact, so `squares`, `moments`, `magnitudes`, `trend` and `deviation` are in scaled units: divide
 * by `scale` to come back. No value is -0.
 */
export class Samples {
  readonly #run: Run = { times: EMPTY, values: EMPTY, from: 0, to: 0 };
  readonly #parts = new WindowParts();
  #scanned = false;
  #min = 0;
  #max = 0;
  #sum = 0;
  #mean = 0;
  #scale = 1;
  #scaledMean = 0;
  #squares: number | undefined;
  #sorted: Float64Array | undefined;
  #generation = 0;

  /** All of the given values, without times. */
  static of(values: Float64Array): Samples {
    const samples = new Samples();
    samples.reset(new Float64Array(values.length), values, 0, values.length);
    return samples;
  }

  /** Shows entries [from, to) of two columns: event times in microseconds, ascending, and finite values. */
  reset(times: Float64Array, values: Float64Array, from: number, to: number): void {
    this.#show(times, values, from, to);
    this.#parts.begin(this.#run, undefined);
  }

  /** Shows the readings of [startUs, endUs) and returns how many there are. */
  select(
    readings: SortedReadings,
    { startUs, endUs }: { readonly startUs: number; readonly endUs: number },
    panes: Panes | undefined,
  ): number {
    const from = readings.lowerBound(startUs);
    this.#show(readings.times, readings.values, from, readings.lowerBound(endUs));
    // By the readings of the window alone, so that the same ones always give the same bits.
    const isShared =
      panes !== undefined && this.count >= ((endUs - startUs) / panes.paneUs) * PANE_READINGS_MIN;
    this.#parts.begin(this.#run, isShared ? { panes, readings, startUs, endUs } : undefined);
    return this.count;
  }

  #show(times: Float64Array, values: Float64Array, from: number, to: number): void {
    this.#run.times = times;
    this.#run.values = values;
    this.#run.from = from;
    this.#run.to = to;
    this.#scanned = false;
    this.#squares = undefined;
    this.#sorted = undefined;
    this.#generation += 1;
  }

  /** Another number after each reset: what others keep of these readings is valid while it stays. */
  get generation(): number {
    return this.#generation;
  }

  get count(): number {
    return this.#run.to - this.#run.from;
  }

  /** The value at place `i` below `count`. */
  value(i: number): number {
    return this.#run.values[this.#run.from + i] ?? Number.NaN;
  }

  /** The event time at place `i` below `count`, in microseconds. */
  timeUs(i: number): number {
    return this.#run.times[this.#run.from + i] ?? Number.NaN;
  }

  /** The event time of the newest, in microseconds; undefined where there is none. */
  newestUs(): number | undefined {
    return this.count === 0 ? undefined : this.timeUs(this.count - 1);
  }

  min(): number | undefined {
    if (this.count === 0) return undefined;
    this.#scan();
    return this.#min;
  }

  max(): number | undefined {
    if (this.count === 0) return undefined;
    this.#scan();
    return this.#max;
  }

  /** Compensated; infinite where the true sum is beyond the largest double. */
  sum(): number | undefined {
    if (this.count === 0) return undefined;
    this.#scan();
    return this.#sum;
  }

  /** Between min and max, and so exactly the value of a constant signal. */
  mean(): number | undefined {
    if (this.count === 0) return undefined;
    this.#scan();
    return this.#mean;
  }

  /** The power of two by which sums of powers and deviations see the values multiplied. */
  get scale(): number {
    this.#scan();
    return this.#scale;
  }

  /** The scaled difference of value `i` and the mean. */
  deviation(i: number): number {
    return (this.#run.values[this.#run.from + i] ?? Number.NaN) * this.#scale - this.#scaledMean;
  }

  /** The sum of the squared scaled deviations, 0 for a constant signal: corrected two-pass (Chan et al. 1983). */
  squares(): number {
    this.#squares ??= this.#sumSquares();
    return this.#squares;
  }

  /** Σz³ and Σz⁴ of the standardised values z = (x - mean) / √(squares / count); 0 for a constant signal. */
  moments(): { readonly cubes: number; readonly fourths: number } {
    const squares = this.squares();
    if (squares === 0) return { cubes: 0, fourths: 0 };
    const { count } = this;
    const peak = Math.max(Math.abs(this.#min), Math.abs(this.#max));
    if (peak > POWERS_LARGE || peak < POWERS_SMALL)
      return scaledMoments(this.#run, this.#scaled(), Math.sqrt(squares / count));
    const basis = this.parts(BASIS).rows;
    const square = this.parts(SQUARES).rows;
    const { rows, count: rowCount } = this.parts(POWERS);
    let cubes = 0;
    let fourths = 0;
    // The binomial theorem moves each row's sums from its own center to the window's mean.
    for (let row = 0; row < rowCount; row++) {
      const n = basis[row * BASIS.width + COUNT] ?? Number.NaN;
      const d = (basis[row * BASIS.width + CENTER] ?? Number.NaN) - this.#mean;
      const s1 = square[row * 2] ?? Number.NaN;
      const s2 = square[row * 2 + 1] ?? Number.NaN;
      const s3 = rows[row * 2] ?? Number.NaN;
      const s4 = rows[row * 2 + 1] ?? Number.NaN;
      cubes += s3 + d * (3 * s2 + d * (3 * s1 + d * n));
      fourths += s4 + d * (4 * s3 + d * (6 * s2 + d * (4 * s1 + d * n)));
    }
    const variance = squares / count;
    return { cubes: cubes / (variance * Math.sqrt(variance)), fourths: fourths / variance / variance };
  }

  /** Σx² and Σ|x| of the scaled values. */
  magnitudes(): { readonly squares: number; readonly total: number } {
    this.#scan();
    if (this.#scale !== 1) return scaledMagnitudes(this.#run, this.#scale);
    const { rows, count } = this.parts(MAGNITUDES);
    let squares = 0;
    let total = 0;
    for (let row = 0; row < count; row++) {
      squares += rows[row * 2] ?? Number.NaN;
      total += rows[row * 2 + 1] ?? Number.NaN;
    }
    return { squares, total };
  }

  /** Σ(t - mean)² and Σ(t - mean)(x - mean), of times in microseconds and scaled values. */
  trend(): { readonly squares: number; readonly products: number } {
    this.#scan();
    if (this.count === 0) return { squares: 0, products: 0 };
    if (this.#scale !== 1) return scaledTrend(this.#run, this.#scaled());
    const basis = this.parts(BASIS).rows;
    const square = this.parts(SQUARES).rows;
    const { rows, count } = this.parts(TREND);
    const origin = rows[0] ?? Number.NaN;
    let total = 0;
    for (let row = 0; row < count; row++) {
      const n = basis[row * BASIS.width + COUNT] ?? Number.NaN;
      total += ((rows[row * 4] ?? Number.NaN) - origin) * n + (rows[row * 4 + 1] ?? Number.NaN);
    }
    const middle = total / this.count;
    let squares = 0;
    let products = 0;
    for (let row = 0; row < count; row++) {
      const n = basis[row * BASIS.width + COUNT] ?? Number.NaN;
      const d = (basis[row * BASIS.width + CENTER] ?? Number.NaN) - this.#mean;
      const rest = square[row * 2] ?? Number.NaN;
      const e = (rows[row * 4] ?? Number.NaN) - origin - middle;
      const t1 = rows[row * 4 + 1] ?? Number.NaN;
      squares += (rows[row * 4 + 2] ?? Number.NaN) + e * (2 * t1 + e * n);
      products += (rows[row * 4 + 3] ?? Number.NaN) + d * t1 + e * (rest + d * n);
    }
    return { squares, products };
  }

  /** How often the sign changes from one reading to the next; 0 has none and is passed over. */
  signChanges(): number {
    const { rows, count } = this.parts(SIGNS);
    let sign = 0;
    let changes = 0;
    for (let row = 0; row < count; row++) {
      const first = rows[row * 3] ?? 0;
      if (first === 0) continue;
      changes += (rows[row * 3 + 2] ?? 0) + (sign !== 0 && first !== sign ? 1 : 0);
      sign = rows[row * 3 + 1] ?? 0;
    }
    return changes;
  }

  /** The values in ascending order; the caller must not change them. */
  sorted(): Float64Array {
    this.#sorted ??= this.#run.values.slice(this.#run.from, this.#run.to).sort();
    return this.#sorted;
  }

  /** A part over each pane of the window, or over all of it; valid until the next window. */
  parts(part: Part): PartRows {
    return this.#parts.get(part);
  }

  /** Extremes, the compensated sum, and a second one of scaled values only where the sum overflows. */
  #scan(): void {
    if (this.#scanned || this.count === 0) return;
    this.#scanned = true;
    const { rows, count } = this.parts(BASIS);
    let min = Infinity;
    let max = -Infinity;
    let sum = 0;
    let lost = 0;
    for (let at = 0; at < count * BASIS.width; at += BASIS.width) {
      min = Math.min(min, rows[at + MIN] ?? Number.NaN);
      max = Math.max(max, rows[at + MAX] ?? Number.NaN);
      const value = rows[at + SUM] ?? Number.NaN;
      const next = sum + value;
      lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
      lost += rows[at + LOST] ?? Number.NaN;
      sum = next;
    }
    this.#min = min;
    this.#max = max;
    const peak = Math.max(Math.abs(min), Math.abs(max));
    this.#scale = peak > LARGE ? 1 / SCALE : peak < SMALL ? SCALE : 1;
    this.#sum = sum + lost;
    let mean = this.#sum / this.count;
    if (!Number.isFinite(mean)) {
      const scaled = scaledTotal(this.#run, 1 / SCALE);
      this.#sum = scaled * SCALE;
      mean = (scaled / this.count) * SCALE;
    }
    this.#mean = Math.min(Math.max(mean, min), max);
    this.#scaledMean = this.#mean * this.#scale;
  }

  #sumSquares(): number {
    this.#scan();
    if (this.count === 0 || this.#min === this.#max) return 0;
    if (this.#scale !== 1) return scaledSquares(this.#run, this.#scaled());
    const basis = this.parts(BASIS).rows;
    const { rows, count } = this.parts(SQUARES);
    let squares = 0;
    let rest = 0;
    for (let row = 0; row < count; row++) {
      const n = basis[row * BASIS.width + COUNT] ?? Number.NaN;
      const d = (basis[row * BASIS.width + CENTER] ?? Number.NaN) - this.#mean;
      const s1 = rows[row * 2] ?? Number.NaN;
      squares += (rows[row * 2 + 1] ?? Number.NaN) + d * (2 * s1 + d * n);
      rest += s1 + d * n;
    }
    return Math.max(0, squares - (rest * rest) / this.count);
  }

  #scaled(): { readonly scale: number; readonly mean: number } {
    return { scale: this.#scale, mean: this.#scaledMean };
  }
}
