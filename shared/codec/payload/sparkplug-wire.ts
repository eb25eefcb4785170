import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { malformed } from "./payload-decoder.ts";

/** A metric's number within a session; text where it is too large for a double. */
export type SparkplugAlias = number | string;

/** What a metric's value field holds; `other` are bytes, data sets, templates, extensions. */
export type SparkplugValue =
  | { readonly field: "none" | "other" }
  | { readonly field: "integer"; readonly integer: number | bigint }
  | { readonly field: "real"; readonly real: number }
  | { readonly field: "boolean"; readonly boolean: boolean }
  | { readonly field: "text"; readonly text: string };

export interface SparkplugMetric {
  readonly name: string | undefined;
  readonly alias: SparkplugAlias | undefined;
  readonly timestampMs: number | undefined;
  readonly datatype: number | undefined;
  readonly isNull: boolean;
  readonly value: SparkplugValue;
  /** Text properties by name; empty where they were not asked for. */
  readonly properties: ReadonlyMap<string, string>;
}

export interface SparkplugPayload {
  readonly timestampMs: number | undefined;
  readonly seq: number | undefined;
  readonly metrics: readonly SparkplugMetric[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NO_VALUE: SparkplugValue = { field: "none" };
const OTHER: SparkplugValue = { field: "other" };
const NO_PROPERTIES: ReadonlyMap<string, string> = new Map();

/** A protobuf tag: field number and wire type. */
const tagOf = (field: number, wire: WireType): number => (field << 3) | wire;

/** Fields of Payload, Metric, PropertySet and PropertyValue (Sparkplug 3.0 §6.4.1) that are read. */
const PAYLOAD_TIMESTAMP = tagOf(1, WireType.Varint);
const PAYLOAD_METRIC = tagOf(2, WireType.LengthDelimited);
const PAYLOAD_SEQ = tagOf(3, WireType.Varint);
const METRIC_NAME = tagOf(1, WireType.LengthDelimited);
const METRIC_ALIAS = tagOf(2, WireType.Varint);
const METRIC_TIMESTAMP = tagOf(3, WireType.Varint);
const METRIC_DATATYPE = tagOf(4, WireType.Varint);
const METRIC_IS_NULL = tagOf(7, WireType.Varint);
const METRIC_PROPERTIES = tagOf(9, WireType.LengthDelimited);
const METRIC_INT = tagOf(10, WireType.Varint);
const METRIC_LONG = tagOf(11, WireType.Varint);
const METRIC_FLOAT = tagOf(12, WireType.Bit32);
const METRIC_DOUBLE = tagOf(13, WireType.Bit64);
const METRIC_BOOLEAN = tagOf(14, WireType.Varint);
const METRIC_STRING = tagOf(15, WireType.LengthDelimited);
const METRIC_OTHER = [16, 17, 18, 19].map((field) => tagOf(field, WireType.LengthDelimited));
const PROPERTY_KEY = tagOf(1, WireType.LengthDelimited);
const PROPERTY_VALUE = tagOf(2, WireType.LengthDelimited);
const PROPERTY_TEXT = tagOf(8, WireType.LengthDelimited);

/**
 * Reads a Sparkplug B payload; unknown fields are passed over, as protobuf has it.
 *
 * Throws "payload.malformed" with the byte at which it is no protobuf. Makes at most one metric for two bytes.
 */
export function parseSparkplug(payload: Uint8Array, withProperties: boolean): SparkplugPayload {
  const reader = new BinaryReader(payload);
  const parsed: Mutable<SparkplugPayload> & { metrics: SparkplugMetric[] } = {
    timestampMs: undefined,
    seq: undefined,
    metrics: [],
  };
  try {
    readMessage(reader, payload.length, (tag) => {
      if (tag === PAYLOAD_METRIC) parsed.metrics.push(readMetric(reader, withProperties));
      else if (tag === PAYLOAD_TIMESTAMP) parsed.timestampMs = Number(reader.uint64());
      else if (tag === PAYLOAD_SEQ) parsed.seq = Number(reader.uint64());
      else return false;
      return true;
    });
  } catch (error) {
    // The library throws plain errors; there is no code of ours below.
    const why = error instanceof Error ? error.message : String(error);
    throw malformed(
      `The payload is not Sparkplug B at byte ${Math.min(reader.pos, payload.length)}: ${why}.`,
    );
  }
  return parsed;
}

/** Reads fields up to `end`; `take` says whether it has read the one with the tag. */
function readMessage(reader: BinaryReader, end: number, take: (tag: number) => boolean): void {
  if (end > reader.len) throw new RangeError("a field is longer than the payload");
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 0) throw new RangeError("there is a field number 0");
    // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- skip refuses what is no wire type
    if (!take(tag)) reader.skip(tag & 7, tag >>> 3);
  }
  if (reader.pos !== end) throw new RangeError("a field reaches over the end of its message");
}

function readMetric(reader: BinaryReader, withProperties: boolean): SparkplugMetric {
  const metric: Mutable<SparkplugMetric> = {
    name: undefined,
    alias: undefined,
    timestampMs: undefined,
    datatype: undefined,
    isNull: false,
    value: NO_VALUE,
    properties: NO_PROPERTIES,
  };
  readMessage(reader, reader.uint32() + reader.pos, (tag) => {
    if (tag === METRIC_ALIAS) metric.alias = aliasOf(reader.uint64());
    else if (tag === METRIC_TIMESTAMP) metric.timestampMs = Number(reader.uint64());
    else if (tag === METRIC_NAME) metric.name = reader.string(true);
    else if (tag === METRIC_DATATYPE) metric.datatype = reader.uint32();
    else if (tag === METRIC_IS_NULL) metric.isNull = reader.bool();
    else if (tag === METRIC_PROPERTIES && withProperties) metric.properties = readProperties(reader);
    else return readValue(reader, tag, metric);
    return true;
  });
  return metric;
}

function readValue(reader: BinaryReader, tag: number, metric: Mutable<SparkplugMetric>): boolean {
  if (tag === METRIC_DOUBLE) metric.value = { field: "real", real: reader.double() };
  else if (tag === METRIC_FLOAT) metric.value = { field: "real", real: reader.float() };
  else if (tag === METRIC_INT) metric.value = { field: "integer", integer: reader.uint32() };
  else if (tag === METRIC_LONG) metric.value = { field: "integer", integer: BigInt(reader.uint64()) };
  else if (tag === METRIC_BOOLEAN) metric.value = { field: "boolean", boolean: reader.bool() };
  else if (tag === METRIC_STRING) metric.value = { field: "text", text: reader.string(true) };
  else {
    if (METRIC_OTHER.includes(tag)) metric.value = OTHER;
    return false;
  }
  return true;
}

const aliasOf = (alias: bigint | string): SparkplugAlias =>
  Number.isSafeInteger(Number(alias)) ? Number(alias) : String(alias);

/** The properties that are text: keys and values are two lists of one length. */
function readProperties(reader: BinaryReader): ReadonlyMap<string, string> {
  const keys: string[] = [];
  const values: (string | undefined)[] = [];
  readMessage(reader, reader.uint32() + reader.pos, (tag) => {
    if (tag === PROPERTY_KEY) keys.push(reader.string(true));
    else if (tag === PROPERTY_VALUE) values.push(readProperty(reader));
    else return false;
    return true;
  });
  const properties = new Map<string, string>();
  for (const [place, key] of keys.entries()) {
    const value = values[place];
    if (value !== undefined) properties.set(key, value);
  }
  return properties;
}

function readProperty(reader: BinaryReader): string | undefined {
  let text: string | undefined;
  readMessage(reader, reader.uint32() + reader.pos, (tag) => {
    if (tag !== PROPERTY_TEXT) return false;
    text = reader.string(true);
    return true;
  });
  return text;
}

const BOOLEAN = 11;

/** The payload that asks an edge node for its births (Sparkplug 3.0 §5.17: "Node Control/Rebirth" = true, without seq). */
export function encodeRebirthRequest(atUs: number): Uint8Array {
  const timestampMs = Math.floor(atUs / 1_000);
  return new BinaryWriter()
    .uint32(PAYLOAD_TIMESTAMP)
    .uint64(timestampMs)
    .uint32(PAYLOAD_METRIC)
    .fork()
    .uint32(METRIC_NAME)
    .string("Node Control/Rebirth")
    .uint32(METRIC_TIMESTAMP)
    .uint64(timestampMs)
    .uint32(METRIC_DATATYPE)
    .uint32(BOOLEAN)
    .uint32(METRIC_BOOLEAN)
    .bool(true)
    .join()
    .finish();
}
