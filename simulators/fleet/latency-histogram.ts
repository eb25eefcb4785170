/** Each bucket ends 2 % above where it begins, so that a percentile is at most 2 % off. */
const GROWTH = 1.02;
const LOG_GROWTH = Math.log(GROWTH);

/** The last bucket holds everything above about an hour: 1.02^1112 µs. */
const BUCKETS = 1_113;

/** Percentiles of a set of latencies, in milliseconds; all 0 when the set is empty. */
export interface LatencySummary {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Latencies by logarithmic bucket: 1 µs to an hour in 9 KB, however many are counted. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #maxUs = 0;

  add(latencyUs: number): void {
    const bucket = latencyUs <= 1 ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(latencyUs) / LOG_GROWTH));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count++;
    if (latencyUs > this.#maxUs) this.#maxUs = latencyUs;
  }

  /** Takes in everything that another one has counted. */
  merge(other: LatencyHistogram): void {
    for (const [bucket, count] of other.#counts.entries())
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#count += other.#count;
    this.#maxUs = Math.max(this.#maxUs, other.#maxUs);
  }

  summary(): LatencySummary {
    return {
      p50: this.#quantileMs(0.5),
      p95: this.#quantileMs(0.95),
      p99: this.#quantileMs(0.99),
      max: this.#maxUs / 1_000,
    };
  }

  /** The smallest bucket's end that a share `q` of all latencies does not exceed. */
  #quantileMs(q: number): number {
    if (this.#count === 0) return 0;
    const rank = Math.ceil(q * this.#count);
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) return Math.min(GROWTH ** bucket, this.#maxUs) / 1_000;
    }
    return this.#maxUs / 1_000;
  }
}
