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
import type { RawMessage } from "@sluice/shared/contract/message.ts";
import { WatchedDevice, type WatchedDeviceState, type WatchRules } from "./watched-device.ts";
import type { WatchedMetric } from "./watched-metric.ts";

/**
 * Most devices and watched metrics of devices together that are remembered: some 100 bytes each in a checkpoint, so
 * 6 MB. One more, and the device that was seen first is forgotten, as if it had never sent anything.
 */
export const WATCHED_MAX = 65_536;

/** How often it is told at most that one metric of one device exceeds its rate: a minute of arrival time. */
const EXCESS_TOLD_EVERY_US = 60_000_000;

/**
 * How often all metrics are looked through for silent ones at most: with WATCHED_MAX of them that takes a millisecond,
 * and so many can go silent one by one.
 */
const LOOK_EVERY_US = 1_000_000;

/** What became of one value of a message. */
export interface Verdict {
  readonly device: { readonly key: string; readonly name: string; readonly type: string };
  /** Undefined where what broke the contract is no value of a metric. */
  readonly metric: string | undefined;
}

/** What the watch needs of the world: the rules by device type, and somebody who takes what it has to say. */
export interface WatchParts {
  readonly rules: ReadonlyMap<string, WatchRules>;
  readonly tell: (event: NewEvent) => void;
  readonly readings: Readings;
}

/** What the watch needs of the readings. */
export interface Readings {
  measuredAtUsAt(row: number): number;
  /** Keeps a reading from features and models. */
  withhold(row: number): void;
}

/** What the watch remembers. */
export interface ContractWatchState {
  readonly devices: readonly WatchedDeviceState[];
  /** The gateway's present boot, and when its first message came. */
  readonly bootId: string;
  readonly listeningSinceUs: number;
  /** When all metrics are to be looked through, null for never, and when they may be. */
  readonly staleFromUs: number | null;
  readonly nextLookUs: number;
}

/** What is known of devices at the moment. */
export interface WatchStatus {
  readonly openCount: number;
  readonly open: readonly {
    readonly device: string;
    readonly deviceType: string;
    readonly violationShare: number;
    readonly openedAtUs: number;
    readonly withheld: number;
  }[];
  readonly staleCount: number;
}

/**
 * Watches what contracts promise over more than one message: breakers, rates and silence.
 *
 * A breaker stands for a device, because a machine that sends nonsense in one metric is not to be trusted in the
 * others. Each value is one judgement, good or a violation, in the order of the values; a reading is withheld when its
 * device's breaker is open behind it. Silence is judged by arrival: a metric that was heard once and then not for
 * `staleAfterMs` is stale; that is told at a message, from whomever, that comes at most a second later. The time before
 * the gateway's own start is nobody's silence. Everything follows from messages and state; the memory is bounded by
 * WATCHED_MAX.
 */
export class ContractWatch {
  readonly #parts: WatchParts;
  readonly #devices = new Map<string, WatchedDevice>();
  /** The one that was judged last: the values of a message are mostly of one device. */
  #last: { readonly key: string; readonly device: WatchedDevice } | undefined;
  /** Devices, and the metrics that they may have. */
  #watched = 0;
  /** Of those, the devices whose breaker is open, and how many metrics are silent. */
  readonly #open = new Set<WatchedDevice>();
  #staleCount = 0;
  /** No metric is silent for too long before then. */
  #staleFromUs = Infinity;
  #nextLookUs = 0;
  #bootId = "";
  #listeningSinceUs = 0;
  #counts = new Map<string, number>();

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** A message has arrived: whoever is silent for too long by then is stale. */
  arrive({ receivedAtUs, stamp }: Pick<RawMessage, "receivedAtUs" | "stamp">): void {
    if (stamp !== undefined && stamp.bootId !== this.#bootId) {
      this.#bootId = stamp.bootId;
      this.#listeningSinceUs = receivedAtUs;
      this.#nextLookUs = 0; // The clock may say anything at a start.
    }
    if (receivedAtUs <= this.#staleFromUs || receivedAtUs < this.#nextLookUs) return;
    this.#nextLookUs = receivedAtUs + LOOK_EVERY_US;
    this.#staleFromUs = Infinity;
    for (const device of this.#devices.values())
      for (const [name, metric] of device.metrics) {
        const atUs = metric.staleFromUs(this.#listeningSinceUs);
        if (atUs < receivedAtUs) this.#grewStale(device, name, { metric, atUs });
        else this.#staleFromUs = Math.min(this.#staleFromUs, atUs);
      }
  }

  /** The gateway's clock was set: what was heard before stays as long ago as it was. */
  clockStepped(stepUs: number): void {
    this.#listeningSinceUs += stepUs;
    this.#staleFromUs += stepUs;
    this.#nextLookUs += stepUs;
    for (const device of this.#devices.values())
      for (const metric of device.metrics.values()) metric.heardAtUs += stepUs;
  }

  /** Takes the next value of a message; `row` is that of its reading, undefined where it was refused. */
  judge({ device: named, metric: name }: Verdict, row: number | undefined, message: Place): void {
    const device = this.#last?.key === named.key ? this.#last.device : this.#device(named, message);
    if (device === undefined) return;
    const { readings } = this.#parts;
    const metric = name === undefined ? undefined : this.#heard(device, name, message);
    const isExcess = row !== undefined && metric?.exceeds(readings.measuredAtUsAt(row)) === true;
    if (isExcess) this.#exceeded(device, { name, metric, message });
    this.#judgeDevice(device, row === undefined || isExcess, message);
    const isOpen = device.breaker?.isOpen === true;
    if (row === undefined || !(isExcess || isOpen)) return;
    readings.withhold(row);
    this.#count("withheld");
    if (isExcess) this.#count("withheld.rate");
    if (!isOpen) return;
    this.#count("withheld.breaker");
    device.opening = { ...device.opening, withheld: device.opening.withheld + 1 };
  }

  /** How many breakers are open and metrics silent, and of the breakers those that have been open for longest. */
  status(shownMax: number): WatchStatus {
    const shown = [...this.#open].slice(0, shownMax).map(({ name, type, breaker, opening }) => ({
      device: name,
      deviceType: type,
      violationShare: breaker?.share ?? 0,
      openedAtUs: opening.atUs,
      withheld: opening.withheld,
    }));
    return { openCount: this.#open.size, open: shown, staleCount: this.#staleCount };
  }

  /** What was counted since the last time. */
  finish(): ReadonlyMap<string, number> {
    const counts = this.#counts;
    this.#counts = new Map();
    return counts;
  }

  state(): ContractWatchState {
    return {
      devices: Array.from(this.#devices.values(), (device) => device.state()),
      bootId: this.#bootId,
      listeningSinceUs: this.#listeningSinceUs,
      staleFromUs: this.#staleFromUs === Infinity ? null : this.#staleFromUs,
      nextLookUs: this.#nextLookUs,
    };
  }

  /** Goes on from a state; devices of which the contracts no longer promise anything are forgotten. */
  restore({ devices, bootId, listeningSinceUs, staleFromUs, nextLookUs }: ContractWatchState): void {
    this.#devices.clear();
    this.#last = undefined;
    this.#open.clear();
    this.#watched = 0;
    this.#staleCount = 0;
    // Metrics that are watched only now, by other settings, are judged from when they are heard.
    this.#staleFromUs = staleFromUs ?? Infinity;
    this.#bootId = bootId;
    this.#listeningSinceUs = listeningSinceUs;
    this.#nextLookUs = nextLookUs;
    const open: WatchedDevice[] = [];
    for (const state of devices) {
      const rules = this.#parts.rules.get(state.type);
      if (rules === undefined) continue;
      const device = WatchedDevice.restore(state, rules);
      this.#devices.set(`${state.type}/${state.name}`, device);
      this.#watched += device.weight;
      if (device.breaker?.isOpen === true) open.push(device);
      for (const { isStale } of device.metrics.values()) if (isStale) this.#staleCount += 1;
    }
    for (const device of open.sort((a, b) => a.opening.offset - b.opening.offset)) this.#open.add(device);
  }

  #device({ key, name, type }: Verdict["device"], message: Place): WatchedDevice | undefined {
    const known = this.#devices.get(key);
    this.#last = known === undefined ? undefined : { key, device: known };
    if (known !== undefined) return known;
    const rules = this.#parts.rules.get(type);
    if (rules === undefined) return undefined;
    const device = new WatchedDevice({ name, type }, rules);
    this.#watched += device.weight;
    for (const [oldest, forgotten] of this.#devices) {
      if (this.#watched <= WATCHED_MAX) break;
      this.#devices.delete(oldest);
      this.#forget(forgotten, message);
    }
    this.#devices.set(key, device);
    return device;
  }

  #forget(device: WatchedDevice, message: Place): void {
    this.#watched -= device.weight;
    this.#count("watch.forgotten");
    for (const { isStale } of device.metrics.values()) if (isStale) this.#staleCount -= 1;
    if (!this.#open.delete(device)) return;
    this.#tell("breakers.closed", breakerForgotten(device, message));
  }

  #heard(device: WatchedDevice, name: string, message: Place): WatchedMetric | undefined {
    const metric = device.metric(name, message.receivedAtUs);
    if (metric === undefined) return undefined;
    const atUs = metric.staleFromUs(this.#listeningSinceUs);
    if (atUs < message.receivedAtUs) this.#grewStale(device, name, { metric, atUs });
    if (metric.isStale) {
      this.#tell("fresh", deviceFresh(device, name, { metric, message }));
      this.#staleCount -= 1;
    }
    metric.isStale = false;
    metric.heardAtUs = message.receivedAtUs;
    this.#staleFromUs = Math.min(this.#staleFromUs, metric.staleFromUs(this.#listeningSinceUs));
    return metric;
  }

  #grewStale(
    device: WatchedDevice,
    name: string,
    { metric, atUs }: { readonly metric: WatchedMetric; readonly atUs: number },
  ): void {
    this.#tell("stale", deviceStale(device, name, { metric, atUs }));
    metric.isStale = true;
    this.#staleCount += 1;
  }

  /** Told at once, then once a minute with what came together: the rows are marked, and the counter has them all. */
  #exceeded(
    device: WatchedDevice,
    { name = "", metric, message }: { name: string | undefined; metric: WatchedMetric; message: Place },
  ): void {
    this.#count("rate.exceeded");
    metric.excessCount += 1;
    const { excessToldAtUs } = metric;
    const sinceUs = message.receivedAtUs - (excessToldAtUs ?? -Infinity);
    if (sinceUs >= 0 && sinceUs < EXCESS_TOLD_EVERY_US) return;
    this.#parts.tell(rateExceeded(device, name, { metric, message }));
    metric.excessToldAtUs = message.receivedAtUs;
    metric.excessCount = 0;
  }

  #judgeDevice(device: WatchedDevice, isViolation: boolean, message: Place): void {
    const change = device.breaker?.judge(isViolation);
    if (change === undefined) return;
    if (change === "closed") {
      this.#open.delete(device);
      return this.#tell("breakers.closed", breakerClosed(device, message));
    }
    this.#open.add(device);
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
