const EMPTY: Float64Array = new Float64Array(0);

/** Beyond these magnitudes squares overflow or underflow, so sums of squares are taken on scaled values. */
const LARGE = 2 ** 300;
const SMALL = 2 ** -300;
const SCALE = 2 ** 600;

/**
 * The readings of one input in one window, ordered by event time, then offset, then index: what a function sees.
 *
 * What several functions need (sum, mean, squares, the sorted values) is computed once, when first asked for. The
 * object is used again for the next window: keep no reference to it. Powers of two scale values of extreme
 * magnitude, which is exact, so `squares` and `deviation` are in scaled units: divide by `scale` to come back.
 */
export class Samples {
  #times = EMPTY;
  #values = EMPTY;
  #from = 0;
  #to = 0;
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
    this.#times = times;
    this.#values = values;
    this.#from = from;
    this.#to = to;
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
    return this.#to - this.#from;
  }

  /** The value at place `i` below `count`. */
  value(i: number): number {
    return this.#values[this.#from + i] ?? Number.NaN;
  }

  /** The event time at place `i` below `count`, in microseconds. */
  timeUs(i: number): number {
    return this.#times[this.#from + i] ?? Number.NaN;
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

  /** The power of two by which `squares` and `deviation` see the values multiplied. */
  get scale(): number {
    this.#scan();
    return this.#scale;
  }

  /** The scaled difference of value `i` and the mean. */
  deviation(i: number): number {
    return (this.#values[this.#from + i] ?? Number.NaN) * this.#scale - this.#scaledMean;
  }

  /** The sum of the squared scaled deviations, 0 for a constant signal: corrected two-pass (Chan et al. 1983). */
  squares(): number {
    if (this.#squares !== undefined) return this.#squares;
    this.#scan();
    let squares = 0;
    let rest = 0;
    if (this.#min !== this.#max) {
      const values = this.#values;
      for (let i = this.#from; i < this.#to; i++) {
        const deviation = (values[i] ?? Number.NaN) * this.#scale - this.#scaledMean;
        squares += deviation * deviation;
        rest += deviation;
      }
      squares = Math.max(0, squares - (rest * rest) / this.count);
    }
    this.#squares = squares;
    return squares;
  }

  /** The values in ascending order; the caller must not change them. */
  sorted(): Float64Array {
    this.#sorted ??= this.#values.slice(this.#from, this.#to).sort();
    return this.#sorted;
  }

  /** One pass for extremes and the sum (Neumaier 1974), a second one on scaled values only where the sum overflows. */
  #scan(): void {
    if (this.#scanned || this.count === 0) return;
    this.#scanned = true;
    const values = this.#values;
    let min = Infinity;
    let max = -Infinity;
    for (let i = this.#from; i < this.#to; i++) {
      const value = values[i] ?? Number.NaN;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.#min = min;
    this.#max = max;
    const peak = Math.max(Math.abs(min), Math.abs(max));
    this.#scale = peak > LARGE ? 1 / SCALE : peak < SMALL ? SCALE : 1;
    this.#sum = this.#total(1);
    let mean = this.#sum / this.count;
    if (!Number.isFinite(mean)) {
      const scaled = this.#total(1 / SCALE);
      this.#sum = scaled * SCALE;
      mean = (scaled / this.count) * SCALE;
    }
    this.#mean = Math.min(Math.max(mean, min), max);
    this.#scaledMean = this.#mean * this.#scale;
  }

  #total(scale: number): number {
    const values = this.#values;
    let sum = 0;
    let lost = 0;
    for (let i = this.#from; i < this.#to; i++) {
      const value = (values[i] ?? Number.NaN) * scale;
      const next = sum + value;
      lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
      sum = next;
    }
    return sum + lost;
  }
}
