import { isObject, member, parsePath, valueAt } from "./dotted-path.ts";
import { JsonDevice, JsonUnits } from "./json-names.ts";
import { parseJson } from "./json-text.ts";
import { malformed, type PayloadDecoder, showValue, type ValueSink } from "./payload-decoder.ts";
import type { JsonPayloadSettings } from "./settings.ts";
import { eventTimeUs, type TimeUnit } from "./time.ts";

/** How deep objects in a record may nest where every field is a metric: deeper is no device's message. */
const DEPTH_MAX = 16;

type Mapping =
  | {
      readonly kind: "named";
      readonly fields: readonly (readonly [metric: string, path: readonly string[]])[];
    }
  | { readonly kind: "topic"; readonly path: readonly string[] }
  | { readonly kind: "all"; readonly ignored: ReadonlySet<string> };

interface TimeField {
  readonly name: string;
  readonly path: readonly string[];
  readonly unit: TimeUnit;
  readonly ofMessage: boolean;
}

/**
 * JSON (RFC 8259), read by the engine's own parser: of a name that is there twice the last one counts.
 *
 * A named field that is not there gives no value; null and everything else that is no number is given on as it is.
 * A record without a device, where the payload names it, is refused by itself.
 */
export function createJsonDecoder(settings: JsonPayloadSettings): PayloadDecoder {
  const time = timeField(settings);
  const device = settings.device === undefined ? undefined : new JsonDevice(settings.device);
  const units = new JsonUnits(settings);
  const mapping = mappingOf(settings, time);
  const recordsPath = settings.records === undefined ? undefined : parsePath(settings.records);
  return {
    needsTopicMetric: mapping.kind === "topic",
    namesDevice: device !== undefined,
    decode(payload, sink, { metric: topicMetric }) {
      const message = parseJson(payload);
      const records = findRecords(message, recordsPath, settings.records);
      for (const [place, record] of records.entries()) {
        if (!isObject(record)) {
          sink.refuse("payload.malformed", `Record ${place} is ${showValue(record)}, not an object.`);
          continue;
        }
        beginRecord({ record, message, time, device }, sink);
        giveValues(record, { mapping, units, topicMetric }, sink);
      }
    },
  };
}

function timeField({ time }: JsonPayloadSettings): TimeField | undefined {
  if (time === undefined) return undefined;
  return { name: time.path, path: parsePath(time.path), unit: time.unit, ofMessage: time.of === "message" };
}

function mappingOf(settings: JsonPayloadSettings, time: TimeField | undefined): Mapping {
  if (settings.value !== undefined) return { kind: "topic", path: parsePath(settings.value) };
  if (settings.metrics !== undefined) {
    const fields = Object.entries(settings.metrics).map(
      ([metric, path]) => [metric, parsePath(path)] as const,
    );
    return { kind: "named", fields };
  }
  const { ignore, device, unit, units = {} } = settings;
  const others = [device, unit, ...Object.values(units)].filter((path) => path !== undefined);
  const ignored = [...ignore, ...others].map((path) => parsePath(path).join("."));
  return { kind: "all", ignored: new Set(time === undefined ? ignored : [...ignored, time.path.join(".")]) };
}

/** The records at a path, arrays on the way gone through and the last one too. */
function findRecords(
  message: unknown,
  path: readonly string[] | undefined,
  name: string | undefined,
): readonly unknown[] {
  if (path === undefined) {
    if (Array.isArray(message)) return message;
    if (isObject(message)) return [message];
    throw malformed(`The payload is ${showValue(message)}, not an object or an array of objects.`);
  }
  let found: readonly unknown[] = [message];
  for (const key of path)
    found = found.flatMap((value) => {
      const inner = member(value, key);
      return inner !== undefined || !Array.isArray(value) ? [inner] : value.map((item) => member(item, key));
    });
  const records = found.flat().filter((record) => record !== undefined);
  if (records.length === 0 && !found.some(Array.isArray))
    throw malformed(`The payload has no records at "${name ?? ""}".`);
  return records;
}

interface RecordParts {
  readonly record: unknown;
  readonly message: unknown;
  readonly time: TimeField | undefined;
  readonly device: JsonDevice | undefined;
}

function beginRecord({ record, message, time, device }: RecordParts, sink: ValueSink): void {
  const name = device?.nameOf(record, message);
  if (device !== undefined && name === undefined) {
    sink.refuse("device.invalid", device.explain(record, message));
    return;
  }
  if (time === undefined) {
    sink.record(undefined, name);
    return;
  }
  const value = valueAt(time.ofMessage ? message : record, time.path);
  const measuredAtUs = eventTimeUs(value, time.unit);
  if (!Number.isNaN(measuredAtUs)) {
    sink.record(measuredAtUs, name);
    return;
  }
  const found = value === undefined ? "is missing" : `is ${showValue(value)}`;
  sink.refuse("time.invalid", `The time field "${time.name}" ${found}, not a time in ${time.unit}.`);
}

interface ValuePlan {
  readonly mapping: Mapping;
  readonly units: JsonUnits;
  readonly topicMetric: string | undefined;
}

function giveValues(
  record: Readonly<Record<string, unknown>>,
  { mapping, units, topicMetric }: ValuePlan,
  sink: ValueSink,
): void {
  const unit = units.ofRecord(record);
  switch (mapping.kind) {
    case "named":
      for (const [metric, path] of mapping.fields) {
        const value = valueAt(record, path);
        if (value !== undefined) sink.value(metric, value, units.of(metric, record) ?? unit);
      }
      return;
    case "topic": {
      const value = valueAt(record, mapping.path);
      if (value !== undefined) sink.value(topicMetric ?? "", value, unit);
      return;
    }
    case "all":
      giveAll(record, { prefix: "", depth: 1 }, { record, ignored: mapping.ignored, units, unit, sink });
  }
}

interface AllFields {
  readonly record: Readonly<Record<string, unknown>>;
  readonly ignored: ReadonlySet<string>;
  readonly units: JsonUnits;
  readonly unit: string | undefined;
  readonly sink: ValueSink;
}

interface Place {
  /** The path so far with its dot. */
  readonly prefix: string;
  readonly depth: number;
}

/** Every field as a metric by its dotted path. */
function giveAll(from: Readonly<Record<string, unknown>>, { prefix, depth }: Place, all: AllFields): void {
  for (const key of Object.keys(from)) {
    const name = prefix === "" ? key : `${prefix}${key}`;
    if (all.ignored.has(name)) continue;
    const value = from[key];
    if (!isObject(value)) all.sink.value(name, value, all.units.of(name, all.record) ?? all.unit);
    else if (depth < DEPTH_MAX) giveAll(value, { prefix: `${name}.`, depth: depth + 1 }, all);
    else throw malformed(`The payload nests deeper than ${DEPTH_MAX} levels at ${showValue(name)}.`);
  }
}
