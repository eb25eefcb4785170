import { showValue } from "@sluice/shared/codec/payload/payload-decoder.ts";
import type { Json } from "@sluice/shared/contract/canonical-json.ts";
import type { DeviceContract } from "@sluice/shared/contract/device-contract.ts";
import { deviceIdSchema } from "@sluice/shared/contract/ids.ts";
import type { UnlistedMetric } from "./new-metrics.ts";
import type { SeriesSlot } from "./reading-columns.ts";
import type { Route, Router } from "./routes.ts";
import { type Refusal, ruleFor, type SentMetric, type ValueRule } from "./validate.ts";
import { type WatchRules, watchRulesOf } from "./watched-device.ts";

/** Most topics and devices that are remembered; beyond that all are forgotten and found again. */
const TOPICS_MAX = 65_536;

/** Most metrics of a device that are remembered, likewise: a device that invents names cannot fill the memory. */
const METRICS_MAX = 4_096;

/**
 * Most metrics of all devices together, likewise: about 600 bytes each, so 80 MB. More than that in turn are found again
 * and again, which takes a few microseconds each.
 */
const ALL_METRICS_MAX = 131_072;

/** Most units of a metric that are remembered, likewise. */
const UNITS_MAX = 16;

/** One metric of one device in one unit: where its readings go and what its values must be, or why it is refused. */
interface MetricInUnit {
  readonly accepted: { readonly slot: SeriesSlot; readonly rule: ValueRule } | undefined;
  readonly refusal: Refusal | undefined;
  /** Where the contract does not list it. */
  readonly unlisted: UnlistedMetric | undefined;
}

/** One metric of one device, in the unit in which it is sent where the payload names none. */
export interface MetricEntry extends MetricInUnit {
  /** The number of the last message that carried it. */
  seenIn: number;
  /** By the unit that a payload named. */
  readonly units: Map<string, MetricInUnit>;
}

interface DeviceName {
  readonly name: string;
  readonly type: string;
}

export class Device {
  /** Two routes may read one device, so it is known by type and name; neither has a slash. */
  readonly key: string;
  readonly name: string;
  readonly type: string;
  readonly isWatched: boolean;
  readonly #contract: DeviceContract | undefined;
  readonly #metrics = new Map<string, MetricEntry>();
  /** Metrics that every message must carry. */
  readonly required: readonly string[];
  readonly #remembered: () => void;

  /** `remembered` is called for each metric that is remembered. */
  constructor({ name, type }: DeviceName, contract: DeviceContract | undefined, remembered: () => void) {
    this.key = deviceKey(type, name);
    this.name = name;
    this.type = type;
    this.isWatched = contract !== undefined && watchRulesOf(contract) !== undefined;
    this.#contract = contract;
    this.#remembered = remembered;
    this.required = Object.entries(contract?.metrics ?? {})
      .filter(([, metric]) => metric.required)
      .map(([metric]) => metric);
  }

  metric(name: string): MetricEntry {
    return this.#metrics.get(name) ?? this.#remember(name);
  }

  /** The number of the last message that carried a metric; undefined where none is remembered. */
  seenIn(name: string): number | undefined {
    return this.#metrics.get(name)?.seenIn;
  }

  #remember(name: string): MetricEntry {
    if (this.#metrics.size >= METRICS_MAX) this.#forget();
    const entry = { ...this.#look({ metric: name }), seenIn: -1, units: new Map<string, MetricInUnit>() };
    this.#metrics.set(name, entry);
    this.#remembered();
    return entry;
  }

  /** The metric in the unit that a payload names. */
  inUnit(entry: MetricEntry, metric: string, unit: string): MetricInUnit {
    if (entry.accepted?.rule.sentUnit === unit) return entry;
    const known = entry.units.get(unit);
    if (known !== undefined) return known;
    const found = this.#look({ metric, unit }, entry.accepted?.slot);
    if (entry.units.size >= UNITS_MAX) entry.units.clear();
    entry.units.set(unit, found);
    return found;
  }

  #look(sent: SentMetric, known?: SeriesSlot): MetricInUnit {
    const rule = ruleFor(sent, this.type, this.#contract);
    if ("reason" in rule) return { accepted: undefined, refusal: rule, unlisted: undefined };
    const { metric, unit } = rule;
    // What is stored in the same unit is the same series, whatever it was sent in.
    const slot = known?.series.unit === unit && known !== undefined ? known : this.#slot(rule);
    const unlisted = rule.isUnlisted
      ? { key: `${this.type}/${metric}`, deviceType: this.type, metric, knownIn: -1 }
      : undefined;
    return { accepted: { slot, rule }, refusal: undefined, unlisted };
  }

  /** Keeps the required ones: whether the message at hand carried them is written there. */
  #forget(): void {
    const required = new Set(this.required);
    for (const name of this.#metrics.keys()) if (!required.has(name)) this.#metrics.delete(name);
  }

  #slot(rule: ValueRule): SeriesSlot {
    const series = { device: this.name, deviceType: this.type, metric: rule.metric, unit: rule.unit };
    return { series, block: -1, place: -1, seen: undefined };
  }
}

/** Where the messages of a topic go. */
export interface Destination {
  readonly route: Route;
  /** Undefined where the payload names the device of each record. */
  readonly device: Device | undefined;
  readonly metric: string | undefined;
}

/** From a topic to its device and route, remembered so that a topic is taken apart once. */
export class Devices {
  readonly #router: Router;
  readonly #contracts: ReadonlyMap<string, DeviceContract>;
  readonly #topics = new Map<string, Destination | Refusal | "ignored">();
  readonly #devices = new Map<string, Device>();
  /** How many metrics were remembered since all were forgotten. */
  #metrics = 0;

  constructor(router: Router, contracts: readonly DeviceContract[]) {
    this.#router = router;
    this.#contracts = new Map(contracts.map((contract) => [contract.deviceType, contract]));
  }

  /** What the contracts promise over more than one message, by device type. */
  get watchRules(): ReadonlyMap<string, WatchRules> {
    return new Map(
      [...this.#contracts].flatMap(([type, contract]) => {
        const rules = watchRulesOf(contract);
        return rules === undefined ? [] : [[type, rules] as const];
      }),
    );
  }

  find(topic: string): Destination | Refusal | "ignored" {
    return this.#topics.get(topic) ?? this.#remember(topic);
  }

  #remember(topic: string): Destination | Refusal | "ignored" {
    if (this.#topics.size >= TOPICS_MAX) this.#forget();
    const found = this.#look(topic);
    this.#topics.set(topic, found);
    return found;
  }

  #look(topic: string): Destination | Refusal | "ignored" {
    const routed = this.#router.find(topic);
    if (routed === "ignored") return routed;
    if (routed === undefined)
      return { reason: "route.none", detail: `No route takes the topic ${showValue(topic)}.` };
    const { route, device: name, metric } = routed;
    if (name === undefined) return { route, device: undefined, metric };
    const device = this.device(route, name);
    return "reason" in device ? device : { route, device, metric };
  }

  /** A device by the name that a topic or a payload gives it. */
  device(route: Pick<Route, "deviceType">, name: string): Device | Refusal {
    const known = this.#devices.get(deviceKey(route.deviceType, name));
    if (known !== undefined) return known;
    if (!deviceIdSchema.safeParse(name).success)
      return {
        reason: "device.invalid",
        detail: `The device ${showValue(name)} is not 1 to 128 characters without "/", "+", "#" or control characters.`,
      };
    const { deviceType: type } = route;
    const device = new Device({ name, type }, this.#contracts.get(type), () => {
      this.#metrics += 1;
    });
    this.#devices.set(device.key, device);
    return device;
  }

  /**
   * Forgets all where it is too many: before a message, never within one, because which metrics the message at hand has
   * carried is written there.
   */
  makeRoom(): void {
    if (this.#metrics > ALL_METRICS_MAX || this.#devices.size > TOPICS_MAX) this.#forget();
  }

  #forget(): void {
    this.#topics.clear();
    this.#devices.clear();
    this.#metrics = 0;
  }

  /** What the payload decoders remember, by the topic filter of their route. */
  memories(): Readonly<Record<string, Json>> {
    return Object.fromEntries(
      this.#router.routes.flatMap(({ topic, payload }) =>
        payload.memory === undefined ? [] : [[topic, payload.memory.save()]],
      ),
    );
  }

  restoreMemories(saved: Readonly<Record<string, Json>>): void {
    for (const { topic, payload } of this.#router.routes) {
      const memory = saved[topic];
      if (memory !== undefined) payload.memory?.restore(memory);
    }
  }
}

const deviceKey = (type: string, name: string): string => `${type}/${name}`;
