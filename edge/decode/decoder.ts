import type { ValueSink } from "@sluice/shared/codec/payload/payload-decoder.ts";
import type { DeviceContract } from "@sluice/shared/contract/device-contract.ts";
import type { Json } from "@sluice/shared/contract/canonical-json.ts";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { Label } from "@sluice/shared/contract/label.ts";
import type { OutgoingMessage, RawMessage } from "@sluice/shared/contract/message.ts";
import type { QuarantineReason, QuarantineRow } from "@sluice/shared/contract/quarantine.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { LABEL_TOPIC } from "@sluice/shared/contract/topic.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { type Destination, type Device, Devices } from "./devices.ts";
import { decodeLabel } from "./label.ts";
import { QuarantineLog } from "./quarantine-log.ts";
import { ReadingColumns } from "./reading-columns.ts";
import { checkRoutes, Router, type RouteSettings } from "./routes.ts";
import { explainValue, type Refusal } from "./validate.ts";

/** What a message and its times must keep to. */
export interface DecodeLimits {
  readonly payloadBytesMax: number;
  readonly futureSkewMs: number;
  readonly pastMaxMs: number;
}

export interface DecoderOptions {
  readonly routes: readonly RouteSettings[];
  readonly contracts: readonly DeviceContract[];
  readonly limits: DecodeLimits;
  /** Topic filters whose messages are no readings: counted, nothing else. */
  readonly ignoredTopics?: readonly string[];
}

export interface Decoded {
  readonly readings: ReadingBlock;
  readonly quarantine: QuarantineRow[];
  readonly labels: Label[];
  readonly events: NewEvent[];
  /** What is to be said to devices: published once, at most once. */
  readonly requests: OutgoingMessage[];
  /** What was decoded: messages, readings, labels, ignored, quarantined, and "quarantine.<reason>" for each reason met. */
  readonly counters: Record<string, number>;
}

/** What a decoder remembers, as JSON. */
export interface DecoderState {
  /** The memories of payload decoders, by the topic filter of their route. */
  readonly payloads: Readonly<Record<string, Json>>;
}

/**
 * Raw messages → valid readings and labels, or quarantine.
 *
 * The answer follows from the messages, in their order, and the settings alone: the clock is the messages' arrival
 * time, and cutting the messages into other calls changes nothing. What it remembers of earlier messages is its
 * state, which goes into the checkpoint. Each value of a message is good or bad by itself and its `index` is
 * its place among all values of the message; a record whose time is bad is refused as a whole; a payload that is not
 * of its format gives one row and no reading. A message that gives nothing at all is quarantined, never passed over,
 * unless the settings say that its topic is to be ignored: then it is counted.
 */
export class Decoder {
  readonly #devices: Devices;
  readonly #limits: DecodeLimits;
  readonly #columns = new ReadingColumns();
  readonly #quarantine = new QuarantineLog();
  readonly #values: MessageValues;

  /** Throws PipelineError "config.invalid" where routes and contracts do not go together. */
  constructor({ routes, contracts, limits, ignoredTopics = [] }: DecoderOptions) {
    const issues = checkRoutes(routes, contracts, ignoredTopics);
    if (issues.length > 0)
      throw new PipelineError(
        "config.invalid",
        issues.map(({ path, message }) => `decode.${path.join(".")}: ${message}`).join("; "),
        { hint: "Correct the routes and contracts in the settings." },
      );
    this.#devices = new Devices(new Router(routes, ignoredTopics), contracts);
    this.#limits = limits;
    this.#values = new MessageValues({
      devices: this.#devices,
      columns: this.#columns,
      quarantine: this.#quarantine,
      limits,
    });
  }

  decode(messages: readonly RawMessage[]): Decoded {
    const labels: Label[] = [];
    let ignored = 0;
    for (const message of messages) {
      const refusal =
        message.topic === LABEL_TOPIC ? this.#decodeLabel(message, labels) : this.#decodeReadings(message);
      if (refusal === "ignored") ignored += 1;
      else if (refusal !== undefined) this.#quarantine.refuse(0, refusal);
      this.#quarantine.endMessage(message);
    }
    const readings = this.#columns.finish();
    const { rows, counts } = this.#quarantine.finish();
    const counters: Record<string, number> = {
      messages: messages.length,
      readings: readings.count,
      labels: labels.length,
      ignored,
      quarantined: 0,
    };
    for (const [reason, count] of counts) {
      counters[`quarantine.${reason}`] = count;
      counters["quarantined"] = (counters["quarantined"] ?? 0) + count;
    }
    return { readings, quarantine: rows, labels, counters, ...this.#values.finish() };
  }

  /** What it remembers of the messages so far, to be carried over a restart. */
  state(): DecoderState {
    return { payloads: this.#devices.memories() };
  }

  /** Goes on from a state; what the settings no longer know of is forgotten. */
  restore(state: DecoderState): void {
    this.#devices.restoreMemories(state.payloads);
  }

  #decodeLabel(message: RawMessage, labels: Label[]): Refusal | undefined {
    const refusal = this.#checkSize(message.payload.length);
    if (refusal !== undefined) return refusal;
    const label = decodeLabel(message);
    if (typeof label === "string") return { reason: "label.invalid", detail: label };
    labels.push(label);
    return undefined;
  }

  #decodeReadings(message: RawMessage): Refusal | "ignored" | undefined {
    const destination = this.#devices.find(message.topic);
    if (destination === "ignored" || "reason" in destination) return destination;
    const refusal = this.#checkSize(message.payload.length);
    if (refusal !== undefined) return refusal;
    const before = this.#columns.count;
    try {
      this.#values.begin(message, destination);
      destination.route.payload.decode(message.payload, this.#values, {
        topic: message.topic,
        metric: destination.metric,
        receivedAtUs: message.receivedAtUs,
      });
    } catch (error) {
      if (!(error instanceof PipelineError) || error.code !== "payload.malformed") throw error;
      this.#columns.cutTo(before);
      this.#quarantine.abandon();
      return { reason: "payload.malformed", detail: error.message };
    }
    return this.#values.end();
  }

  #checkSize(payloadBytes: number): Refusal | undefined {
    const { payloadBytesMax } = this.#limits;
    if (payloadBytes === 0) return { reason: "payload.empty", detail: "The payload is empty." };
    if (payloadBytes <= payloadBytesMax) return undefined;
    return {
      reason: "payload.too_large",
      detail: `The payload has ${payloadBytes} bytes; at most ${payloadBytesMax} are decoded.`,
    };
  }
}

interface ValueParts {
  readonly devices: Devices;
  readonly columns: ReadingColumns;
  readonly quarantine: QuarantineLog;
  readonly limits: DecodeLimits;
}

/** Takes the values of one message at a time and sorts good from bad. */
class MessageValues implements ValueSink {
  readonly #devices: Devices;
  readonly #columns: ReadingColumns;
  readonly #quarantine: QuarantineLog;
  readonly #limits: DecodeLimits;
  #destination: Destination | undefined;
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

  begin(message: RawMessage, destination: Destination): void {
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
