import type { BreakerSettings, DeviceContract } from "@sluice/shared/contract/device-contract.ts";
import { Breaker, type BreakerState } from "./breaker.ts";
import { type MetricRules, WatchedMetric, type WatchedMetricState } from "./watched-metric.ts";

/** What a contract promises over more than one message, so that something must be remembered of each device. */
export interface WatchRules {
  readonly breaker: BreakerSettings | undefined;
  /** Only the metrics of which something is promised. */
  readonly metrics: ReadonlyMap<string, MetricRules>;
}

/** Undefined where the contract promises nothing of the kind. */
export function watchRulesOf({ breaker, metrics }: DeviceContract): WatchRules | undefined {
  const watched = Object.entries(metrics)
    .filter(([, { rateMaxHz, staleAfterMs }]) => rateMaxHz !== undefined || staleAfterMs !== undefined)
    .map(([name, { rateMaxHz, staleAfterMs }]) => [name, { rateMaxHz, staleAfterMs }] as const);
  return breaker === undefined && watched.length === 0 ? undefined : { breaker, metrics: new Map(watched) };
}

/** When a breaker opened, and how many readings were withheld since; means nothing while it is closed. */
export interface Opening {
  readonly offset: number;
  readonly atUs: number;
  readonly withheld: number;
}

export interface WatchedDeviceState {
  readonly name: string;
  readonly type: string;
  readonly breaker: BreakerState | null;
  readonly opening: Opening;
  readonly metrics: readonly (readonly [name: string, state: WatchedMetricState])[];
}

/** One device whose contract promises something over more than one message. */
export class WatchedDevice {
  readonly name: string;
  readonly type: string;
  readonly breaker: Breaker | undefined;
  readonly #rules: WatchRules;
  readonly #metrics = new Map<string, WatchedMetric>();
  opening: Opening = { offset: 0, atUs: 0, withheld: 0 };

  constructor({ name, type }: { readonly name: string; readonly type: string }, rules: WatchRules) {
    this.name = name;
    this.type = type;
    this.#rules = rules;
    this.breaker = rules.breaker === undefined ? undefined : new Breaker(rules.breaker);
  }

  /** A device as it was; what the rules no longer know of is forgotten. */
  static restore(state: WatchedDeviceState, rules: WatchRules): WatchedDevice {
    const device = new WatchedDevice(state, rules);
    if (state.breaker !== null) device.breaker?.restore(state.breaker);
    device.opening = state.opening;
    for (const [name, metric] of state.metrics) {
      const metricRules = rules.metrics.get(name);
      if (metricRules !== undefined)
        device.#metrics.set(name, new WatchedMetric(metricRules, metric.heardAtUs, metric));
    }
    return device;
  }

  /** Itself and the metrics that it may have: what it counts for in the memory's limit. */
  get weight(): number {
    return 1 + this.#rules.metrics.size;
  }

  get metrics(): ReadonlyMap<string, WatchedMetric> {
    return this.#metrics;
  }

  /** The metric as it is remembered from now on; undefined where nothing is promised of it. */
  metric(name: string, heardAtUs: number): WatchedMetric | undefined {
    const known = this.#metrics.get(name);
    if (known !== undefined) return known;
    const rules = this.#rules.metrics.get(name);
    if (rules === undefined) return undefined;
    const metric = new WatchedMetric(rules, heardAtUs);
    this.#metrics.set(name, metric);
    return metric;
  }

  state(): WatchedDeviceState {
    return {
      name: this.name,
      type: this.type,
      breaker: this.breaker?.state() ?? null,
      opening: this.opening,
      metrics: Array.from(this.#metrics, ([name, metric]) => [name, metric.state()] as const),
    };
  }
}
