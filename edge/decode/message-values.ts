import type { ValueSink } from "@sluice/shared/codec/payload/payload-decoder.ts";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { OutgoingMessage, RawMessage } from "@sluice/shared/contract/message.ts";
import type { QuarantineReason } from "@sluice/shared/contract/quarantine.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import type { Destination, Device, Devices } from "./devices.ts";
import type { QuarantineLog } from "./quarantine-log.ts";
import type { ReadingColumns } from "./reading-columns.ts";
import { explainValue } from "./validate.ts";

/** What a message and its times must keep to. */
export interface DecodeLimits {
  readonly payloadBytesMax: number;
  readonly futureSkewMs: number;
  readonly pastMaxMs: number;
  /** Messages of a generation of SeenReadings. */
  readonly duplicateWindowMessages: number;
}

/** Where a message's values go. */
export type Target = Pick<Destination, "device" | "metric"> & {
  readonly route: { readonly deviceType: string };
};

interface ValueParts {
  readonly devices: Devices;
  readonly columns: ReadingColumns;
  readonly quarantine: QuarantineLog;
  readonly limits: DecodeLimits;
}

/** Takes the values of one message at a time and sorts good from bad. */
export class MessageValues implements ValueSink {
  readonly #devices: Devices;
  readonly #columns: ReadingColumns;
  readonly #quarantine: QuarantineLog;
  readonly #limits: DecodeLimits;
  #destination: Target | undefined;
  /** The device of the record at hand. */
  #device: Device | undefined;
  #offset = 0;
  #receivedAtUs = 0;
  #events: NewEvent[] = [];
  #requests: OutgoingMessage[] = [];
  #measuredAtUs: number | undefined;
  #recordRefused = false;
  /** Counts messages, so that a metric can remember in which it was seen last. */
  #message = 0;
  #nextIndex = 0;
  /** Whether the message says that it carries no readings by design. */
  #isIgnored = false;

  constructor({ devices, columns, quarantine, limits }: ValueParts) {
    this.#devices = devices;
    this.#columns = columns;
    this.#quarantine = quarantine;
    this.#limits = limits;
  }

  begin(message: RawMessage, destination: Target): void {
    this.#columns.message(message.offset, message.receivedAtUs);
    this.#destination = destination;
    this.#device = destination.device;
    this.#offset = message.offset;
    this.#receivedAtUs = message.receivedAtUs;
    this.#message += 1;
    this.#nextIndex = 0;
    this.#isIgnored = false;
  }

  record(measuredAtUs: number | undefined, device?: string): void {
    this.#measuredAtUs = measuredAtUs;
    this.#recordRefused = false;
    if (device !== undefined && this.#destination !== undefined) {
      const found = this.#devices.device(this.#destination.route, device);
      if ("reason" in found) return this.refuse(found.reason, found.detail);
      this.#device = found;
    }
    if (measuredAtUs === undefined) return;
    const { futureSkewMs, pastMaxMs } = this.#limits;
    const aheadUs = measuredAtUs - this.#receivedAtUs;
    if (aheadUs > futureSkewMs * 1_000)
      this.refuse("time.future", this.#explainTime(measuredAtUs, "after", aheadUs, futureSkewMs));
    else if (-aheadUs > pastMaxMs * 1_000)
      this.refuse("time.too_old", this.#explainTime(measuredAtUs, "before", -aheadUs, pastMaxMs));
  }

  refuse(reason: QuarantineReason, detail: string): void {
    this.#recordRefused = true;
    this.#quarantine.refuse(this.#nextIndex, { reason, detail });
  }

  value(metric: string, value: unknown): void {
    const index = this.#nextIndex;
    this.#nextIndex = index + 1;
    const entry = this.#device?.metric(metric);
    if (entry === undefined) return;
    entry.seenIn = this.#message;
    if (this.#recordRefused) return;
    const { accepted } = entry;
    if (accepted === undefined) {
      if (entry.refusal !== undefined) this.#quarantine.refuse(index, entry.refusal);
    } else if (typeof value === "number" && value >= accepted.rule.min && value <= accepted.rule.max)
      this.#columns.add(accepted.slot, index, this.#measuredAtUs, value);
    else this.#quarantine.refuse(index, explainValue(value, accepted.rule));
  }

  event(event: Omit<NewEvent, "atUs" | "offsets">): void {
    const offsets = { from: this.#offset, through: this.#offset };
    this.#events.push({ ...event, atUs: this.#receivedAtUs, offsets });
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
    const missing = this.#missing();
    if (missing.length > 0)
      this.#quarantine.refuse(this.#nextIndex, {
        reason: "metric.missing",
        detail: `The message does not carry ${missing.map((name) => `"${name}"`).join(", ")}, which the contract requires.`,
      });
    else if (this.#nextIndex === 0 && !this.#quarantine.hasRefusals)
      this.#quarantine.refuse(0, {
        reason: "metric.missing",
        detail: "The message carries no value of any metric that its route reads.",
      });
    return undefined;
  }

  /** A topic that names the metric carries one by design; what else the contract requires comes in other messages. */
  #missing(): readonly string[] {
    const device = this.#destination?.device;
    if (device === undefined || this.#destination?.metric !== undefined) return [];
    return device.required.filter((name) => device.metric(name).seenIn !== this.#message);
  }

  #explainTime(measuredAtUs: number, side: string, byUs: number, allowedMs: number): string {
    return `The event time ${isoTime(measuredAtUs)} is ${Math.ceil(byUs / 1_000)} ms ${side} the arrival; at most ${allowedMs} ms are allowed.`;
  }
}
