import { showValue } from "@sluice/shared/codec/payload/payload-decoder.ts";
import type { DeviceContract } from "@sluice/shared/contract/device-contract.ts";
import { deviceIdSchema } from "@sluice/shared/contract/ids.ts";
import type { SeriesSlot } from "./reading-columns.ts";
import type { Route, Router } from "./routes.ts";
import { type Refusal, ruleFor, type ValueRule } from "./validate.ts";

/** Most topics and devices that are remembered; beyond that all are forgotten and found again. */
const TOPICS_MAX = 65_536;

/** Most metrics of a device that are remembered, likewise: a device that invents names cannot fill the memory. */
const METRICS_MAX = 4_096;

/** One metric of one device: where its readings go and what its values must be, or why it is refused. */
export interface MetricEntry {
  readonly accepted: { readonly slot: SeriesSlot; readonly rule: ValueRule } | undefined;
  readonly refusal: Refusal | undefined;
  /** The number of the last message that carried it. */
  seenIn: number;
}

export class Device {
  readonly #name: string;
  readonly #type: string;
  readonly #contract: DeviceContract | undefined;
  readonly #metrics = new Map<string, MetricEntry>();
  /** Metrics that every message must carry. */
  readonly required: readonly string[];

  constructor(name: string, type: string, contract: DeviceContract | undefined) {
    this.#name = name;
    this.#type = type;
    this.#contract = contract;
    this.required = Object.entries(contract?.metrics ?? {})
      .filter(([, metric]) => metric.required)
      .map(([metric]) => metric);
  }

  metric(name: string): MetricEntry {
    return this.#metrics.get(name) ?? this.#remember(name);
  }

  #remember(name: string): MetricEntry {
    if (this.#metrics.size >= METRICS_MAX) this.#forget();
    const rule = ruleFor(name, this.#type, this.#contract);
    const entry: MetricEntry =
      "reason" in rule
        ? { accepted: undefined, refusal: rule, seenIn: -1 }
        : { accepted: { slot: this.#slot(rule), rule }, refusal: undefined, seenIn: -1 };
    this.#metrics.set(name, entry);
    return entry;
  }

  /** Keeps the required ones: whether the message at hand carried them is written there. */
  #forget(): void {
    const required = new Set(this.required);
    for (const name of this.#metrics.keys()) if (!required.has(name)) this.#metrics.delete(name);
  }

  #slot(rule: ValueRule): SeriesSlot {
    const series = { device: this.#name, deviceType: this.#type, metric: rule.metric, unit: rule.unit };
    return { series, block: -1, place: -1 };
  }
}

/** Where the messages of a topic go. */
export interface Destination {
  readonly route: Route;
  readonly device: Device;
  readonly metric: string | undefined;
}

/** From a topic to its device and route, remembered so that a topic is taken apart once. */
export class Devices {
  readonly #router: Router;
  readonly #contracts: ReadonlyMap<string, DeviceContract>;
  readonly #topics = new Map<string, Destination | Refusal | "ignored">();
  readonly #devices = new Map<string, Device>();

  constructor(router: Router, contracts: readonly DeviceContract[]) {
    this.#router = router;
    this.#contracts = new Map(contracts.map((contract) => [contract.deviceType, contract]));
  }

  find(topic: string): Destination | Refusal | "ignored" {
    return this.#topics.get(topic) ?? this.#remember(topic);
  }

  #remember(topic: string): Destination | Refusal | "ignored" {
    if (this.#topics.size >= TOPICS_MAX) {
      this.#topics.clear();
      this.#devices.clear();
    }
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
    if (!deviceIdSchema.safeParse(name).success)
      return {
        reason: "device.invalid",
        detail: `The device ${showValue(name)} of the topic is not 1 to 128 characters without control characters.`,
      };
    // Two routes may read one device, so it is found by type and name; neither has a slash.
    const key = `${route.deviceType}/${name}`;
    let device = this.#devices.get(key);
    if (device === undefined) {
      device = new Device(name, route.deviceType, this.#contracts.get(route.deviceType));
      this.#devices.set(key, device);
    }
    return { route, device, metric };
  }
}
