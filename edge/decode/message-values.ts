import {
  type PayloadDecoder,
  showValue,
  type ValueSink,
} from "@sluice/shared/codec/payload/payload-decoder.ts";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { OutgoingMessage, RawMessage } from "@sluice/shared/contract/message.ts";
import type { QuarantineReason } from "@sluice/shared/contract/quarantine.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import type { Destination, Device, Devices } from "./devices.ts";
import type { QuarantineLog } from "./quarantine-log.ts";
import type { ReadingColumns } from "./reading-columns.ts";
import type { UnlistedMetric } from "./new-metrics.ts";
import { explainValue, readValue, type Refusal } from "./validate.ts";
import type { Verdicts } from "./verdicts.ts";

/** What a message and its times must keep to. */
export interface DecodeLimits {
  readonly payloadBytesMax: number;
  readonly futureSkewMs: number;
  readonly pastMaxMs: number;
  /** Messages of a generation of SeenReadings. */
  readonly duplicateWindowMessages: number;
  /** How far the gateway's own clock must jump to count as set. */
  readonly clockStepMinMs: number;
}

/** Where a message's values go. */
export type Target = Pick<Destination, "device" | "metric"> & {
  /** Without a payload format for rows of a file, each of which may carry one metric of many. */
  readonly route: {
    readonly deviceType: string;
    readonly payload?: Pick<PayloadDecoder, "sendsChangesOnly">;
  };
};

interface ValueParts {
  readonly devices: Devices;
  readonly columns: ReadingColumns;
  readonly quarantine: QuarantineLog;
  readonly verdicts: Verdicts;
  readonly limits: DecodeLimits;
}

const MS_PER_DAY = 86_400_000;

/** A clock that is wrong by more is more likely read in the wrong unit: seconds as milliseconds are in 1970. Ten years. */
const UNLIKELY_US = 3_650 * MS_PER_DAY * 1_000;

const inMs = (ms: number): string =>
  ms < 2 * MS_PER_DAY ? `${ms} ms` : `${ms} ms (${Math.round(ms / MS_PER_DAY)} days)`;

/** Takes the values of one message at a time and sorts good from bad. */
export class MessageValues implements ValueSink {
  readonly #devices: Devices;
  readonly #columns: ReadingColumns;
  readonly #quarantine: QuarantineLog;
  readonly #verdicts: Verdicts;
  readonly #limits: DecodeLimits;
  #destination: Target | undefined;
  /** The device of the record at hand. */
  #device: Device | undefined;
  /** Those that the payload has named of whom the contract requires something. */
  readonly #named = new Map<string, Device>();
  #offset = 0;
  #receivedAtUs = 0;
  #events: NewEvent[] = [];
  #requests: OutgoingMessage[] = [];
  #recordRefused = false;
  /** The index at which the record was refused. */
  #refusedAt = -1;
  /** Counts messages, so that a metric can remember in which it was seen last. */
  #message = 0;
  #nextIndex = 0;
  /** Whether the message says that it carries no readings by design. */
  #isIgnored = false;
  /** Whether our clock was known to be wrong when the message came: then it cannot say what is in the future. */
  #isUnsure = false;

  constructor({ devices, columns, quarantine, verdicts, limits }: ValueParts) {
    this.#devices = devices;
    this.#columns = columns;
    this.#quarantine = quarantine;
    this.#verdicts = verdicts;
    this.#limits = limits;
  }

  begin(message: RawMessage, destination: Target, isUnsure: boolean): void {
    this.#devices.makeRoom();
    this.#columns.message(message.offset, message.receivedAtUs, isUnsure);
    this.#isUnsure = isUnsure;
    this.#destination = destination;
    this.#device = destination.device;
    this.#named.clear();
    this.#offset = message.offset;
    this.#receivedAtUs = message.receivedAtUs;
    this.#message += 1;
    this.#nextIndex = 0;
    this.#isIgnored = false;
  }

  record(measuredAtUs: number | undefined, device?: string, clock: "device" | "arrival" = "device"): void {
    this.#columns.record(measuredAtUs, clock);
    this.#recordRefused = false;
    if (device !== undefined && this.#destination !== undefined) {
      const found = this.#deviceOf(this.#destination.route, device);
      this.#device = "reason" in found ? undefined : found;
      if ("reason" in found) return this.#refuseRecord(found);
    }
    if (measuredAtUs === undefined) return;
    const { futureSkewMs, pastMaxMs } = this.#limits;
    const aheadUs = measuredAtUs - this.#receivedAtUs;
    if (aheadUs > futureSkewMs * 1_000 && !this.#isUnsure)
      this.#refuseRecord({
        reason: "time.future",
        detail: this.#explainTime(measuredAtUs, "after", aheadUs, futureSkewMs),
      });
    else if (-aheadUs > pastMaxMs * 1_000)
      this.#refuseRecord({
        reason: "time.too_old",
        detail: this.#explainTime(measuredAtUs, "before", -aheadUs, pastMaxMs),
      });
  }

  /** The same one for the same name throughout a message, so that it knows all that the message carries of it. */
  #deviceOf(route: Target["route"], name: string): Device | Refusal {
    const known = this.#named.get(name);
    if (known !== undefined) return known;
    const found = this.#devices.device(route, name);
    if (!("reason" in found) && found.required.length > 0) this.#named.set(name, found);
    return found;
  }

  refuse(reason: QuarantineReason, detail: string): void {
    this.#device = this.#destination?.device; // Which one it is of, where the payload names it, is not known.
    this.#refuseRecord({ reason, detail });
  }

  #refuseRecord(refusal: Refusal): void {
    this.#recordRefused = true;
    this.#refusedAt = this.#nextIndex;
    this.#refuse(this.#nextIndex, refusal);
  }

  /** Puts what is at a place into quarantine, and holds it against its device. */
  #refuse(index: number, refusal: Refusal, metric?: string): void {
    this.#quarantine.refuse(index, refusal);
    this.#judge(index, metric, { isRefused: true });
  }

  #judge(
    index: number,
    metric: string | undefined,
    { isRefused, unlisted }: { readonly isRefused: boolean; readonly unlisted?: UnlistedMetric | undefined },
  ): void {
    const device = this.#device;
    if (device !== undefined && (device.isWatched || unlisted !== undefined))
      this.#verdicts.add({ device, metric, index, isRefused, unlisted });
  }

  value(metric: string, value: unknown, unit?: string): void {
    const index = this.#nextIndex;
    this.#nextIndex = index + 1;
    const device = this.#device;
    const entry = device?.metric(metric);
    if (device === undefined || entry === undefined) return;
    entry.seenIn = this.#message;
    if (this.#recordRefused) return this.#valueOfRefused(index, metric);
    const { accepted, refusal, unlisted } = unit === undefined ? entry : device.inUnit(entry, metric, unit);
    if (accepted === undefined) {
      if (refusal !== undefined) this.#refuse(index, refusal, metric);
      return;
    }
    const stored = readValue(value, accepted.rule);
    if (stored === undefined) return this.#refuse(index, explainValue(value, accepted.rule), metric);
    this.#columns.add(accepted.slot, index, stored);
    const isNew = unlisted !== undefined && !this.#verdicts.isKnown(unlisted);
    this.#judge(index, metric, { isRefused: false, unlisted: isNew ? unlisted : undefined });
  }

  /** A value that came with a record that is refused as a whole: a violation like each of its values. */
  #valueOfRefused(index: number, metric: string): void {
    if (this.#device?.isWatched !== true) return;
    if (index === this.#refusedAt) this.#verdicts.nameLast(metric);
    else this.#judge(index, metric, { isRefused: true });
  }

  event(event: Omit<NewEvent, "atUs" | "offsets">): void {
    const offsets = { from: this.#offset, through: this.#offset };
    this.tell({ ...event, atUs: this.#receivedAtUs, offsets });
  }

  /** Takes an event that is whole, in its place among the others. */
  tell(event: NewEvent): void {
    this.#events.push(event);
  }

  request(message: OutgoingMessage): void {
    this.#requests.push(message);
  }

  ignore(): void {
    this.#isIgnored = true;
  }

  /** What is to be told since the last time. */
  finish(): { readonly events: NewEvent[]; readonly requests: OutgoingMessage[] } {
    const finished = { events: this.#events, requests: this.#requests };
    this.#events = [];
    this.#requests = [];
    return finished;
  }

  /** Looks for what should have been in the message. */
  end(): "ignored" | undefined {
    if (this.#isIgnored && this.#nextIndex === 0 && !this.#quarantine.hasRefusals) return "ignored";
    for (const device of this.#promisingAll()) this.#refuseMissing(device);
    if (this.#nextIndex === 0 && !this.#quarantine.hasRefusals)
      this.#refuse(0, {
        reason: "metric.missing",
        detail: "The message carries no value of any metric that its route reads.",
      });
    return undefined;
  }

  /**
   * The devices of which the message should carry all that the contract requires. A topic that names the metric carries
   * one by design, and so may a row of a file; what else is required comes in others.
   */
  #promisingAll(): Iterable<Device> {
    const { device, metric, route } = this.#destination ?? {};
    if (metric !== undefined || route?.payload === undefined || route.payload.sendsChangesOnly === true)
      return [];
    return device === undefined ? this.#named.values() : [device];
  }

  #refuseMissing(device: Device): void {
    const missing = device.required.filter((name) => device.seenIn(name) !== this.#message);
    if (missing.length === 0) return;
    const whose = this.#destination?.device === device ? "" : ` of ${showValue(device.name)}`;
    this.#device = device;
    this.#refuse(this.#nextIndex, {
      reason: "metric.missing",
      detail: `The message does not carry ${missing.map((name) => `"${name}"`).join(", ")}${whose}, which the contract requires.`,
    });
  }

  #explainTime(measuredAtUs: number, side: string, byUs: number, allowedMs: number): string {
    const unit = byUs > UNLIKELY_US ? " Does the route say the right unit of the time?" : "";
    return `The event time ${isoTime(measuredAtUs)} is ${inMs(Math.ceil(byUs / 1_000))} ${side} the arrival; at most ${inMs(allowedMs)} are allowed.${unit}`;
  }
}
