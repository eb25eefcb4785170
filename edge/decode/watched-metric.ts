import { MetricRate, type MetricRateState } from "./metric-rate.ts";

/** What a contract promises of a metric over more than one message. */
export interface MetricRules {
  readonly rateMaxHz: number | undefined;
  readonly staleAfterMs: number | undefined;
}

export interface WatchedMetricState {
  readonly heardAtUs: number;
  readonly isStale: boolean;
  readonly rate: MetricRateState | null;
  /** When it was last told that the rate is exceeded, and how many readings were withheld for it since. */
  readonly excessToldAtUs: number | null;
  readonly excessCount: number;
}

/** One metric of one device: when it was last heard, and how fast its readings come. */
export class WatchedMetric {
  readonly rules: MetricRules;
  readonly #rate: MetricRate | undefined;
  heardAtUs: number;
  isStale: boolean;
  excessToldAtUs: number | undefined;
  excessCount: number;

  constructor(rules: MetricRules, heardAtUs: number, state?: WatchedMetricState) {
    this.rules = rules;
    const rate = state?.rate ?? { newestUs: -Infinity, filledUntilUs: -Infinity };
    this.#rate = rules.rateMaxHz === undefined ? undefined : new MetricRate(rules.rateMaxHz, rate);
    this.heardAtUs = heardAtUs;
    this.isStale = state?.isStale ?? false;
    this.excessToldAtUs = state?.excessToldAtUs ?? undefined;
    this.excessCount = state?.excessCount ?? 0;
  }

  /** From when on it is silent for too long if nothing is heard before, and nobody listened before `listeningSinceUs`. */
  staleFromUs(listeningSinceUs: number): number {
    const { staleAfterMs } = this.rules;
    if (staleAfterMs === undefined || this.isStale) return Infinity;
    return Math.max(this.heardAtUs, listeningSinceUs) + staleAfterMs * 1_000;
  }

  /** Whether a reading of this event time comes faster than the rate allows. */
  exceeds(measuredAtUs: number): boolean {
    return this.#rate?.exceeds(measuredAtUs) ?? false;
  }

  state(): WatchedMetricState {
    const rate = this.#rate?.state();
    return {
      heardAtUs: this.heardAtUs,
      isStale: this.isStale,
      // A metric of which no reading was good yet has no rate, and JSON no infinity.
      rate: rate === undefined || rate.newestUs === -Infinity ? null : rate,
      excessToldAtUs: this.excessToldAtUs ?? null,
      excessCount: this.excessCount,
    };
  }
}
