import type { DeviceContract } from "@sluice/shared/contract/device-contract.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { canonicalJson, type Json } from "@sluice/shared/contract/canonical-json.ts";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { Label } from "@sluice/shared/contract/label.ts";
import type { OutgoingMessage, RawMessage } from "@sluice/shared/contract/message.ts";
import type { QuarantineRow } from "@sluice/shared/contract/quarantine.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { decodeSpooled, type SpoolHeader } from "@sluice/shared/contract/spool.ts";
import { isSpoolTopic, parseSpoolTopic } from "@sluice/shared/contract/spool-topic.ts";
import { parseSilenceTopic, SILENCE_DEVICE_TYPE, SILENCE_METRIC } from "@sluice/shared/contract/silence.ts";
import { LABEL_TOPIC } from "@sluice/shared/contract/topic.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { ClockWatch, type ClockWatchState } from "./clock-watch.ts";
import { checkUnits } from "./check-units.ts";
import type { WatchStatus } from "./contract-watch.ts";
import { AlreadyStored, goodValuesText } from "./already-stored.ts";
import { Devices } from "./devices.ts";
import { GenerationStarts, type SavedStarts } from "./generation-starts.ts";
import { decodeLabel } from "./label.ts";
import { type DecodeLimits, MessageValues, type Target } from "./message-values.ts";
import { QuarantineLog } from "./quarantine-log.ts";
import { ReadingColumns } from "./reading-columns.ts";
import { checkRoutes, Router, type RouteSettings } from "./routes.ts";
import { SeenReadings } from "./seen-readings.ts";
import { giveRows, SpoolProgress } from "./spooled.ts";
import type { Refusal } from "./validate.ts";
import { Verdicts, type VerdictsState } from "./verdicts.ts";

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
  /** Of each message of which something was refused, the values that were good, for `AlreadyStored`. By offset. */
  readonly good: ReadonlyMap<number, string>;
  readonly labels: Label[];
  readonly events: NewEvent[];
  /** What is to be said to devices: published once, at most once. */
  readonly requests: OutgoingMessage[];
  /** What was decoded: messages, readings, labels, ignored, quarantined, and "quarantine.<reason>" for each reason met. */
  readonly counters: Record<string, number>;
}

/** What decoding remembers of the messages so far, as JSON. */
export interface DecoderMemory {
  /** The memories of payload decoders, by the topic filter of their route. */
  readonly payloads: Readonly<Record<string, Json>>;
  /** The number of the next message of each job of the spool. */
  readonly spool: Readonly<Record<string, number>>;
  readonly clock: ClockWatchState;
}

/** A decoder's state: its memory, and from where on to learn again which readings were seen lately. */
export interface DecoderState extends DecoderMemory {
  readonly recent: SavedStarts<DecoderMemory>;
  /** Of the routes, contracts and limits that the recent messages were decoded by. */
  readonly settingsHash: string;
  /** What is remembered for contracts; not needed to learn which readings were seen. */
  readonly verdicts: VerdictsState;
}

/** To be raised when the same message comes to be judged in another way: what was seen before is then forgotten. */
const DECODING_VERSION = 1;

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
  readonly #settingsHash: string;
  readonly #columns = new ReadingColumns();
  readonly #quarantine = new QuarantineLog();
  readonly #verdicts: Verdicts;
  readonly #values: MessageValues;
  readonly #spool = new SpoolProgress();
  #labels: Label[] = [];
  #good = new Map<number, string>();
  #ignored = 0;
  /** Messages of the spool that came again. */
  #repeated = 0;
  /** What the message at hand gave when it was decoded first; undefined for one that is new. */
  #already: AlreadyStored | undefined;
  readonly #seen: SeenReadings;
  readonly #clock: ClockWatch;
  #clockSteps = 0;
  /** Whether our clock was known to be wrong when the message at hand came. */
  #isUnsure = false;
  readonly #starts: GenerationStarts<DecoderMemory>;
  /** Whether the message at hand is decoded again, later than in its order. */
  #isAgain = false;
  /** Whether the state that it goes on from is of other settings. */
  #isOtherwise = false;

  /** Throws PipelineError "config.invalid" where routes and contracts do not go together. */
  constructor({ routes, contracts, limits, ignoredTopics = [] }: DecoderOptions) {
    const issues = [...checkRoutes(routes, contracts, ignoredTopics), ...checkUnits(contracts)];
    if (issues.length > 0)
      throw new PipelineError(
        "config.invalid",
        issues.map(({ path, message }) => `decode.${path.join(".")}: ${message}`).join("; "),
        { hint: "Correct the routes and contracts in the settings." },
      );
    this.#devices = new Devices(new Router(routes, ignoredTopics), contracts);
    this.#limits = limits;
    this.#settingsHash = hashOf({ routes, contracts, limits, ignoredTopics });
    this.#clock = new ClockWatch(limits.clockStepMinMs);
    this.#seen = new SeenReadings(limits.duplicateWindowMessages);
    this.#starts = new GenerationStarts(limits.duplicateWindowMessages);
    const [devices, columns, quarantine] = [this.#devices, this.#columns, this.#quarantine];
    const tell = (event: NewEvent): void => this.#values.tell(event);
    this.#verdicts = new Verdicts({ columns, rules: devices.watchRules, tell });
    this.#values = new MessageValues({ devices, columns, quarantine, verdicts: this.#verdicts, limits });
  }

  decode(messages: readonly RawMessage[]): Decoded {
    for (const message of messages) {
      this.#starts.message(message.offset, () => this.#memory());
      this.#seen.message(message.offset);
      for (const event of this.#clock.message(message)) {
        this.#clockSteps += 1;
        this.#values.tell(event);
        this.#verdicts.clockStepped(Number(event.facts?.["stepUs"] ?? 0));
      }
      // What has no stamp did not come over the wire, and is not to be judged by when it came.
      this.#isUnsure = message.stamp !== undefined && this.#clock.isUnsure(message.receivedAtUs);
      const isSpooled = isSpoolTopic(message.topic);
      this.#verdicts.message(message, { isLive: !isSpooled });
      if (isSpooled) this.#decodeSpooled(message);
      else this.#decodeMessage(message);
    }
    const readings = this.#columns.finish();
    const { rows, counts } = this.#quarantine.finish();
    const counters: Record<string, number> = {
      messages: messages.length,
      readings: readings.count,
      labels: this.#labels.length,
      ignored: this.#ignored,
      quarantined: 0,
    };
    for (const [reason, count] of counts) {
      counters[`quarantine.${reason}`] = count;
      counters["quarantined"] = (counters["quarantined"] ?? 0) + count;
    }
    for (const [what, count] of Object.entries(this.#seen.finish())) if (count > 0) counters[what] = count;
    if (this.#repeated > 0) counters["spool.repeated"] = this.#repeated;
    for (const [what, count] of this.#verdicts.finish()) counters[what] = count;
    const { events, requests } = this.#values.finish();
    if (this.#clockSteps > 0) counters["clock.steps"] = this.#clockSteps;
    this.#clockSteps = 0;
    const [labels, good] = [this.#labels, this.#good];
    this.#labels = [];
    this.#good = new Map();
    this.#ignored = 0;
    this.#repeated = 0;
    return { readings, quarantine: rows, good, labels, counters, events, requests };
  }

  /** What it remembers of the messages so far, to be carried over a restart. */
  state(): DecoderState {
    return {
      ...this.#memory(),
      recent: this.#starts.save(),
      settingsHash: this.#settingsHash,
      verdicts: this.#verdicts.state(),
    };
  }

  /**
   * Goes on from a state; what the settings no longer know of is forgotten. `read` gives the messages from an offset
   * up to where the state was taken: from them it learns which readings were seen lately, and nothing else. Under
   * other settings that cannot be learnt, now or at any later start: what was refused then would look as if it had been
   * stored. Once what was decoded since then is decoded again, `caughtUp` is to be called.
   */
  restore(state: DecoderState, read: (fromOffset: number) => Iterable<readonly RawMessage[]>): void {
    this.#isOtherwise = state.settingsHash !== this.#settingsHash;
    if (!this.#isOtherwise) this.#starts.restore(state.recent);
    const { first } = this.#starts;
    if (first !== undefined) {
      this.#recall(first.memory);
      for (const messages of read(first.offset)) this.decode(messages);
      this.#starts.restore(state.recent);
    }
    this.#recall(state);
    this.#verdicts.restore(state.verdicts);
  }

  /**
   * What comes from now on is decoded for the first time. Returns whether what came before was decoded under other
   * settings: then it is forgotten which readings were seen, and the state is to be on disk before more is.
   */
  caughtUp(): boolean {
    const wasOtherwise = this.#isOtherwise;
    this.#isOtherwise = false;
    if (!wasOtherwise) return false;
    this.#seen.forget();
    this.#starts.forget();
    return true;
  }

  /** The first message that a restart would have to read again. */
  get neededFrom(): number {
    return this.#starts.first?.offset ?? Infinity;
  }

  /** How the devices keep their contracts at the moment; of the open breakers at most so many by name. */
  contractStatus(shownMax: number): WatchStatus {
    return this.#verdicts.status(shownMax);
  }

  /** What the gateway's own clock has been seen to do. */
  get clock(): Pick<ClockWatch, "problem"> {
    return this.#clock;
  }

  #memory(): DecoderMemory {
    return { payloads: this.#devices.memories(), spool: this.#spool.save(), clock: this.#clock.state() };
  }

  #recall(memory: DecoderMemory): void {
    this.#devices.restoreMemories(memory.payloads);
    this.#spool.restore(memory.spool);
    this.#clock.restore(memory.clock);
  }

  #decodeMessage(message: RawMessage): void {
    const silent = parseSilenceTopic(message.topic);
    const refusal =
      message.topic === LABEL_TOPIC
        ? this.#decodeLabel(message)
        : silent === undefined
          ? this.#decodeReadings(message)
          : this.#decodeSilence(message, silent);
    if (refusal === "ignored") this.#ignored += 1;
    else if (refusal !== undefined) this.#quarantine.refuse(0, refusal);
    this.#quarantine.endMessage(message);
  }

  /** A message from the spool folder: rows of a file, or a message that is decoded again under a new offset. */
  #decodeSpooled(message: RawMessage): void {
    const place = parseSpoolTopic(message.topic);
    const spooled = decodeSpooled(message.payload);
    if (place === undefined || spooled === undefined) {
      this.#quarantine.refuse(0, { reason: "payload.malformed", detail: "It is not a spooled message." });
      this.#quarantine.endMessage(message);
    } else if (!this.#spool.accepts(place)) this.#repeated += 1;
    else {
      const { header, body } = spooled;
      this.#already = header.stored === undefined ? undefined : new AlreadyStored(header.stored);
      this.#isAgain = header.kind === "message";
      if (header.kind === "message") this.#decodeMessage({ ...message, ...header, payload: body });
      else this.#decodeRows(message, { header, body, job: place.job });
      this.#isAgain = false;
      this.#already = undefined;
    }
  }

  /** Rows of a file. */
  #decodeRows(
    message: RawMessage,
    { header, body, job }: { header: SpoolHeader & { kind: "rows" }; body: Uint8Array; job: string },
  ): void {
    const { deviceType, source, firstRow, isLast } = header;
    const target = { route: { deviceType }, device: undefined, metric: undefined };
    const refusal = this.#decodeInto(message, target, () => {
      const rows = giveRows(body, firstRow, this.#values);
      if (!isLast) return;
      const count = firstRow - 1 + rows;
      const detail = `${source} was imported: ${count} rows.`;
      this.#values.event({ kind: "import.done", count, detail, facts: { source, job } });
    });
    if (refusal !== undefined && refusal !== "ignored") this.#quarantine.refuse(0, refusal);
    this.#quarantine.endMessage(message);
  }

  #decodeLabel(message: RawMessage): Refusal | undefined {
    const refusal = this.#checkSize(message.payload.length);
    if (refusal !== undefined) return refusal;
    const label = decodeLabel(message);
    if (typeof label === "string") return { reason: "label.invalid", detail: label };
    this.#labels.push(label);
    return undefined;
  }

  /** The gateway's own word that nobody sends, as a reading, so that the lake too knows that time has passed. */
  #decodeSilence(message: RawMessage, gateway: string): Refusal | "ignored" | undefined {
    const target = { route: { deviceType: SILENCE_DEVICE_TYPE }, device: undefined, metric: undefined };
    return this.#decodeInto(message, target, () => {
      this.#values.record(undefined, gateway);
      this.#values.value(SILENCE_METRIC, 1);
    });
  }

  #decodeReadings(message: RawMessage): Refusal | "ignored" | undefined {
    const destination = this.#devices.find(message.topic);
    if (destination === "ignored" || "reason" in destination) return destination;
    const refusal = this.#checkSize(message.payload.length);
    if (refusal !== undefined) {
      this.#verdicts.abandon(destination.device);
      this.#verdicts.settle(message, this.#columns.count);
      return refusal;
    }
    return this.#decodeInto(message, destination, () =>
      destination.route.payload.decode(message.payload, this.#values, {
        topic: message.topic,
        metric: destination.metric,
        receivedAtUs: message.receivedAtUs,
        isAgain: this.#isAgain,
      }),
    );
  }

  /** Takes the values of one message, all or, where it is malformed, none of them. */
  #decodeInto(message: RawMessage, target: Target, give: () => void): Refusal | "ignored" | undefined {
    const before = this.#columns.count;
    try {
      this.#values.begin(message, target, this.#isUnsure);
      give();
    } catch (error) {
      if (!(error instanceof PipelineError) || error.code !== "payload.malformed") throw error;
      this.#columns.cutTo(before);
      this.#quarantine.abandon();
      this.#verdicts.abandon(target.device);
      this.#verdicts.settle(message, before);
      return { reason: "payload.malformed", detail: error.message };
    }
    const ended = this.#values.end();
    const already = this.#already?.find(this.#columns.valuesFrom(before));
    if (already !== undefined) this.#columns.dropFrom(before, already);
    // Duplicates too: whether they are some is forgotten by the time that the message is decoded again.
    if (this.#quarantine.hasRefusals)
      this.#good.set(message.offset, goodValuesText(this.#columns.valuesFrom(before)));
    this.#columns.dropDuplicates(before, this.#seen);
    this.#verdicts.settle(message, before);
    return ended;
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

/** Stands for everything but the messages that decides what is stored and what is refused. */
function hashOf({ routes, contracts, limits, ignoredTopics }: Required<DecoderOptions>): string {
  const { payloadBytesMax, futureSkewMs, pastMaxMs, clockStepMinMs } = limits;
  const judging = { payloadBytesMax, futureSkewMs, pastMaxMs, clockStepMinMs };
  return sha256Hex(
    canonicalJson({ version: DECODING_VERSION, routes, contracts, ignoredTopics, limits: judging }),
  );
}
