import {
  malformed,
  type PayloadContext,
  type PayloadDecoder,
  showValue,
  type ValueSink,
} from "./payload-decoder.ts";
import type { SparkplugPayloadSettings } from "./settings.ts";
import { readSparkplugValue } from "./sparkplug-number.ts";
import { SparkplugBirth, type SparkplugDefinition, SparkplugSessions } from "./sparkplug-session.ts";
import { type SparkplugTopic, SparkplugTopics } from "./sparkplug-topic.ts";
import {
  encodeRebirthRequest,
  parseSparkplug,
  type SparkplugMetric,
  type SparkplugPayload,
} from "./sparkplug-wire.ts";

/** The number of a birth, and commands that can be given: what a birth must name, and no measurement. */
const NO_READINGS = ["bdSeq", "Node Control/*", "Device Control/*"];

/**
 * Sparkplug B (Eclipse Sparkplug 3.0): births name the metrics of an edge node or a device, data messages refer to
 * them by alias or by name.
 *
 * Values of births are readings like those of data. Historical and transient values are stored like others, at their
 * own time; a metric's time falls back to the payload's (§6.4.6). Data that no birth explains is refused, and the edge
 * node is asked for a new birth (§5.17), at most once in ten seconds. Missing sequence numbers are told as
 * "sparkplug.gap", deaths as "sparkplug.death"; both, commands and the STATE of hosts carry no readings.
 */
export function createSparkplugDecoder(settings: SparkplugPayloadSettings): PayloadDecoder {
  const topics = new SparkplugTopics(settings);
  const sessions = new SparkplugSessions();
  const decoder = new SparkplugDecoder(settings, sessions);
  return {
    needsTopicMetric: false,
    namesDevice: true,
    // Sparkplug reports by exception: data carries what has changed since the birth.
    sendsChangesOnly: true,
    decode(payload, sink, context) {
      const topic = topics.find(context.topic);
      if (topic.type === "STATE" || topic.type === "NCMD" || topic.type === "DCMD") return sink.ignore();
      const isBirth = topic.type === "NBIRTH" || topic.type === "DBIRTH";
      const parsed = parseSparkplug(payload, isBirth && settings.unitProperty !== undefined);
      decoder.take({ topic, parsed, sink, context });
    },
    memory: { save: () => sessions.save(), restore: (saved) => sessions.restore(saved) },
  };
}

interface Message {
  readonly topic: SparkplugTopic;
  readonly parsed: SparkplugPayload;
  readonly sink: ValueSink;
  readonly context: PayloadContext;
}

class SparkplugDecoder {
  readonly #settings: SparkplugPayloadSettings;
  readonly #sessions: SparkplugSessions;
  readonly #ignoredNames: ReadonlySet<string>;
  readonly #ignoredPrefixes: readonly string[];

  constructor(settings: SparkplugPayloadSettings, sessions: SparkplugSessions) {
    this.#settings = settings;
    this.#sessions = sessions;
    const ignored = [...NO_READINGS, ...settings.ignore];
    this.#ignoredNames = new Set(ignored.filter((name) => !name.endsWith("*")));
    this.#ignoredPrefixes = ignored.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));
  }

  take(message: Message): void {
    const { topic, parsed, sink } = message;
    if (message.context.isAgain) return this.#takeAgain(message);
    if (topic.type === "NDEATH") return this.#nodeDied(message);
    const isBirth = topic.type === "NBIRTH" || topic.type === "DBIRTH";
    if (isBirth) this.#born(message);
    this.#count(message);
    if (topic.device !== undefined && !this.#sessions.isNodeBorn(topic.nodeKey)) this.#askForBirth(message);
    if (topic.type === "DDEATH") return this.#deviceDied(message);
    const birth = this.#sessions.birthOf(topic.nodeKey, topic.device);
    if (birth === undefined) {
      sink.refuse(
        "metric.unknown",
        isBirth
          ? `The birth of ${showValue(topic.publisher)} has ${parsed.metrics.length} metrics, too many to be remembered.`
          : `There is data of ${showValue(topic.publisher)}, but no birth of it was seen.`,
      );
      if (!isBirth) this.#askForBirth(message);
      return;
    }
    // A message that names only what is no reading, as some births do, is in order.
    sink.ignore();
    this.#giveValues(message, birth, isBirth);
  }

  /** A birth by what it says itself, data by the birth that is known now; the session is not what it was then. */
  #takeAgain(message: Message): void {
    const { topic, parsed, sink } = message;
    const isBirth = topic.type === "NBIRTH" || topic.type === "DBIRTH";
    sink.ignore();
    if (topic.type === "NDEATH" || topic.type === "DDEATH") return;
    const birth = isBirth ? this.#birthOf(parsed) : this.#sessions.birthOf(topic.nodeKey, topic.device);
    if (birth === undefined)
      sink.refuse(
        "metric.unknown",
        `There is data of ${showValue(topic.publisher)}, but no birth of it is known.`,
      );
    else this.#giveValues(message, birth, isBirth);
  }

  #birthOf(parsed: SparkplugPayload): SparkplugBirth {
    const nameless = parsed.metrics.findIndex(({ name }) => name === undefined);
    if (nameless !== -1) throw malformed(`Metric ${nameless} of the birth has no name.`);
    return SparkplugBirth.of(parsed.metrics, this.#settings.unitProperty);
  }

  #born({ topic, parsed }: Message): void {
    const birth = this.#birthOf(parsed);
    if (topic.device !== undefined) this.#sessions.deviceBorn(topic.nodeKey, topic.device, birth);
    else this.#sessions.nodeBorn(topic.nodeKey, birth, bdSeqOf(parsed));
  }

  #count({ topic, parsed, sink, context }: Message): void {
    const missing = this.#sessions.count(topic.nodeKey, parsed.seq);
    if (missing === 0) return;
    const { group, node } = topic;
    sink.event({
      kind: "sparkplug.gap",
      count: missing,
      detail: `Of the edge node ${showValue(topic.nodeKey)} ${missing} messages are missing before sequence number ${parsed.seq}.`,
      facts: { group, node, missing, seq: parsed.seq ?? 0 },
    });
    this.#askForBirth({ topic, parsed, sink, context });
  }

  #askForBirth({ topic, sink, context: { receivedAtUs, isAgain } }: Message): void {
    if (isAgain || !this.#settings.rebirth || !this.#sessions.ask(topic.nodeKey, receivedAtUs)) return;
    sink.request({
      topic: `spBv1.0/${topic.group}/NCMD/${topic.node}`,
      payload: encodeRebirthRequest(receivedAtUs),
      qos: 0,
      retain: false,
    });
  }

  #nodeDied({ topic, parsed, sink }: Message): void {
    sink.ignore();
    const devices = this.#sessions.nodeDied(topic.nodeKey, bdSeqOf(parsed));
    if (devices === undefined) return;
    sink.event({
      kind: "sparkplug.death",
      device: topic.publisher,
      count: devices + 1,
      detail: `The edge node ${showValue(topic.nodeKey)} is gone, and with it ${devices} devices.`,
      facts: { group: topic.group, node: topic.node, devices },
    });
  }

  #deviceDied({ topic, sink }: Message): void {
    sink.ignore();
    if (topic.device === undefined || !this.#sessions.deviceDied(topic.nodeKey, topic.device)) return;
    sink.event({
      kind: "sparkplug.death",
      device: topic.publisher,
      count: 1,
      detail: `The device ${showValue(topic.device)} of the edge node ${showValue(topic.nodeKey)} is gone.`,
      facts: { group: topic.group, node: topic.node, devices: 1 },
    });
  }

  #giveValues(message: Message, birth: SparkplugBirth, isBirth: boolean): void {
    const { topic, parsed, sink } = message;
    const records = new Records(sink, topic.publisher);
    for (const metric of parsed.metrics) {
      const definition = birth.find(metric);
      if (definition === undefined) {
        const what =
          metric.name === undefined ? `alias ${metric.alias ?? "(none)"}` : `name ${showValue(metric.name)}`;
        records.refuse("metric.unknown", `The ${what} is not in the birth of ${showValue(topic.publisher)}.`);
        sink.value("", undefined);
        this.#askForBirth(message);
        continue;
      }
      // A birth names metrics that have no value yet.
      if (this.#isIgnored(definition.name) || (isBirth && isEmpty(metric))) continue;
      records.give(metric, definition, metric.timestampMs ?? parsed.timestampMs);
    }
  }

  #isIgnored(name: string): boolean {
    return this.#ignoredNames.has(name) || this.#ignoredPrefixes.some((prefix) => name.startsWith(prefix));
  }
}

const isEmpty = ({ isNull, value }: SparkplugMetric): boolean => isNull || value.field === "none";

function bdSeqOf({ metrics }: SparkplugPayload): number | undefined {
  const value = metrics.find(({ name }) => name === "bdSeq")?.value;
  return value?.field === "integer" ? Number(value.integer) : undefined;
}

/** Begins records of one device at the sink, those of one time as one. */
class Records {
  readonly #sink: ValueSink;
  readonly #device: string;
  #isOpen = false;
  #timestampMs: number | undefined;

  constructor(sink: ValueSink, device: string) {
    this.#sink = sink;
    this.#device = device;
  }

  refuse(reason: Parameters<ValueSink["refuse"]>[0], detail: string): void {
    this.#isOpen = false;
    this.#sink.refuse(reason, detail);
  }

  /** Gives a metric's value, null where it says that it has none. */
  give(
    metric: SparkplugMetric,
    { name, datatype, unit }: SparkplugDefinition,
    timestampMs: number | undefined,
  ): void {
    if (metric.isNull) return this.#value(timestampMs, name, null, unit);
    const reading = readSparkplugValue(metric.value, datatype === 0 ? (metric.datatype ?? 0) : datatype);
    if (reading.ok) return this.#value(timestampMs, name, reading.value, unit);
    this.refuse(reading.reason, `The metric ${showValue(name)} ${reading.detail}.`);
    this.#sink.value(name, undefined);
  }

  #value(timestampMs: number | undefined, metric: string, value: unknown, unit: string | undefined): void {
    if (!this.#isOpen || timestampMs !== this.#timestampMs) this.#begin(timestampMs, metric);
    this.#sink.value(metric, value, unit);
  }

  #begin(timestampMs: number | undefined, metric: string): void {
    const measuredAtUs = timestampMs === undefined ? undefined : timestampMs * 1_000;
    if (measuredAtUs !== undefined && !Number.isSafeInteger(measuredAtUs))
      return this.refuse(
        "time.invalid",
        `The metric ${showValue(metric)} has the timestamp ${timestampMs}, not a time in ms.`,
      );
    this.#isOpen = true;
    this.#timestampMs = timestampMs;
    this.#sink.record(measuredAtUs, this.#device);
  }
}
