import type { NewEvent } from "@sluice/shared/contract/event.ts";
import {
  breakerClosed,
  breakerForgotten,
  breakerOpened,
  deviceFresh,
  deviceStale,
  type Place,
  rateExceeded,
} from "./watch-events.ts";
import { WatchedDevice, type WatchedDeviceState, type WatchRules } from "./watched-device.ts";
import type { WatchedMetric } from "./watched-metric.ts";

/**
 * Most devices and watched metrics of devices together that are remembered: some 100 bytes each in a checkpoint, so
 * 6 MB. One more, and the device that was seen first is forgotten, as if it had never sent anything.
 */
export const WATCHED_MAX = 65_536;

/** How often it is told at most that one metric of one device exceeds its rate: a minute of arrival time. */
const EXCESS_TOLD_EVERY_US = 60_000_000;

/** What became of one value of a message. */
export interface Verdict {
  readonly device: { readonly key: string; readonly name: string; readonly type: string };
  /** Undefined where what broke the contract is no value of a metric. */
  readonly metric: string | undefined;
  /** The row of its reading; undefined where it was refused. */
  readonly row: number | undefined;
  readonly measuredAtUs: number;
}

/** What the watch needs of the world: the rules by device type, and somebody who takes what it has to say. */
export interface WatchParts {
  readonly rules: ReadonlyMap<string, WatchRules>;
  readonly tell: (event: NewEvent) => void;
  readonly withhold: (row: number) => void;
}

/** A device that is kept from features and models. */
export interface OpenBreaker {
  readonly device: string;
  readonly deviceType: string;
  readonly violations: number;
  readonly share: number;
  readonly openedAtUs: number;
  readonly withheld: number;
}

/**
 * Watches what contracts promise over more than one message: breakers, rates and silence.
 *
 * A breaker stands for a device, because a machine that sends nonsense in one metric is not to be trusted in the
 * others. Each value is one judgement, good or a violation, in the order of the values; a reading is withheld when its
 * device's breaker is open behind it. Silence is judged by arrival: a metric that was heard once and then not for
 * `staleAfterMs` is stale from the first message on that comes after that time, from whomever. Everything follows from
 * messages and state; the memory is bounded by WATCHED_MAX.
 */
export class ContractWatch {
  readonly #parts: WatchParts;
  readonly #devices = new Map<string, WatchedDevice>();
  /** Devices, and the metrics that they may have. */
  #watched = 0;
  /** No metric is silent for too long before then. */
  #staleFromUs = Infinity;
  #counts = new Map<string, number>();

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** A message has arrived: whoever is silent for too long by then is stale. */
  arrive(receivedAtUs: number): void {
    if (receivedAtUs <= this.#staleFromUs) return;
    this.#staleFromUs = Infinity;
    for (const device of this.#devices.values())
      for (const [name, metric] of device.metrics) {
        if (metric.staleFromUs < receivedAtUs) this.#grewStale(device, name, metric);
        else this.#staleFromUs = Math.min(this.#staleFromUs, metric.staleFromUs);
      }
  }

  /** Takes the next value of a message. */
  judge({ device: named, metric: name, row, measuredAtUs }: Verdict, message: Place): void {
    const device = this.#device(named, message);
    if (device === undefined) return;
    const metric = name === undefined ? undefined : this.#heard(device, name, message);
    const isExcess = row !== undefined && metric?.exceeds(measuredAtUs) === true;
    if (isExcess) this.#exceeded(device, { name, metric, message });
    this.#judgeDevice(device, row === undefined || isExcess, message);
    const isOpen = device.breaker?.isOpen === true;
    if (row === undefined || !(isExcess || isOpen)) return;
    this.#parts.withhold(row);
    this.#count("withheld");
    if (isExcess) this.#count("withheld.rate");
    if (!isOpen) return;
    this.#count("withheld.breaker");
    device.opening = { ...device.opening, withheld: device.opening.withheld + 1 };
  }

  /** The breakers that are open, in the order in which their devices were first seen. */
  openBreakers(): readonly OpenBreaker[] {
    return [...this.#devices.values()].flatMap(({ name, type, breaker, opening }) =>
      breaker?.isOpen !== true
        ? []
        : [
            {
              device: name,
              deviceType: type,
              violations: breaker.violations,
              share: breaker.share,
              openedAtUs: opening.atUs,
              withheld: opening.withheld,
            },
          ],
    );
  }

  /** What was counted since the last time. */
  finish(): ReadonlyMap<string, number> {
    const counts = this.#counts;
    this.#counts = new Map();
    return counts;
  }

  state(): readonly WatchedDeviceState[] {
    return Array.from(this.#devices.values(), (device) => device.state());
  }

  /** Goes on from a state; devices of which the contracts no longer promise anything are forgotten. */
  restore(states: readonly WatchedDeviceState[]): void {
    this.#devices.clear();
    this.#watched = 0;
    this.#staleFromUs = Infinity;
    for (const state of states) {
      const rules = this.#parts.rules.get(state.type);
      if (rules === undefined) continue;
      const device = WatchedDevice.restore(state, rules);
      this.#devices.set(`${state.type}/${state.name}`, device);
      this.#watched += device.weight;
      for (const { staleFromUs } of device.metrics.values())
        this.#staleFromUs = Math.min(this.#staleFromUs, staleFromUs);
    }
  }

  #device({ key, name, type }: Verdict["device"], message: Place): WatchedDevice | undefined {
    const known = this.#devices.get(key);
    if (known !== undefined) return known;
    const rules = this.#parts.rules.get(type);
    if (rules === undefined) return undefined;
    const device = new WatchedDevice({ name, type }, rules);
    this.#watched += device.weight;
    for (const [oldest, forgotten] of this.#devices) {
      if (this.#watched <= WATCHED_MAX) break;
      this.#devices.delete(oldest);
      this.#watched -= forgotten.weight;
      this.#count("watch.forgotten");
      if (forgotten.breaker?.isOpen === true)
        this.#tell("breakers.closed", breakerForgotten(forgotten, message));
    }
    this.#devices.set(key, device);
    return device;
  }

  #heard(device: WatchedDevice, name: string, message: Place): WatchedMetric | undefined {
    const metric = device.metric(name, message.receivedAtUs);
    if (metric === undefined) return undefined;
    if (metric.isStale) this.#tell("fresh", deviceFresh(device, name, { metric, message }));
    metric.isStale = false;
    metric.heardAtUs = message.receivedAtUs;
    this.#staleFromUs = Math.min(this.#staleFromUs, metric.staleFromUs);
    return metric;
  }

  #grewStale(device: WatchedDevice, name: string, metric: WatchedMetric): void {
    this.#tell("stale", deviceStale(device, name, metric));
    metric.isStale = true;
  }

  /** Told at once, then once a minute with what came together: the rows are marked, and the counter has them all. */
  #exceeded(
    device: WatchedDevice,
    { name = "", metric, message }: { name: string | undefined; metric: WatchedMetric; message: Place },
  ): void {
    this.#count("rate.exceeded");
    metric.excessCount += 1;
    const { excessToldAtUs } = metric;
    if (excessToldAtUs !== undefined && message.receivedAtUs - excessToldAtUs < EXCESS_TOLD_EVERY_US) return;
    this.#parts.tell(rateExceeded(device, name, { metric, message }));
    metric.excessToldAtUs = message.receivedAtUs;
    metric.excessCount = 0;
  }

  #judgeDevice(device: WatchedDevice, isViolation: boolean, message: Place): void {
    const change = device.breaker?.judge(isViolation);
    if (change === undefined) return;
    if (change === "closed") return this.#tell("breakers.closed", breakerClosed(device, message));
    device.opening = { offset: message.offset, atUs: message.receivedAtUs, withheld: 0 };
    this.#tell("breakers.opened", breakerOpened(device, message));
  }

  #tell(counter: string, event: NewEvent): void {
    this.#count(counter);
    this.#parts.tell(event);
  }

  #count(counter: string): void {
    this.#counts.set(counter, (this.#counts.get(counter) ?? 0) + 1);
  }
}
