import { decode as decodeCbor } from "cborg";
import { PipelineError } from "../../runtime/errors.ts";
import { isObject } from "./dotted-path.ts";
import { parseJson } from "./json-text.ts";
import {
  malformed,
  type PayloadContext,
  type PayloadDecoder,
  showValue,
  type ValueSink,
} from "./payload-decoder.ts";
import { type SenmlName, SenmlNames } from "./senml-names.ts";
import { SenmlFields, SenmlPack } from "./senml-pack.ts";
import type { SenmlPayloadSettings } from "./settings.ts";

/** JSON labels by CBOR label from -6 to 8 (RFC 8428 §6, table 4); ut, at 7, is of no use here. */
const CBOR_LABELS = ["bs", "bv", "bu", "bt", "bn", "bver", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"];
const CBOR_LABEL_MIN = -6;

/** A decimal fraction, exponent and mantissa (RFC 8949 §3.4.4), which RFC 8428 §6 allows for numbers. */
const DECIMAL_FRACTION = 4;

/**
 * Sensor Measurement Lists (RFC 8428) in JSON (§5) or CBOR (§6): each record is one value of one sensor at one time.
 *
 * Base fields are applied in the order of the records (§4.6), times below 2^28 s are relative to the arrival
 * (§4.5.3), a boolean is 1 or 0, a sum is a metric of its own. A record that is wrong is refused by itself; a base
 * field that is wrong, an unknown field that must be understood, or a later version refuses the pack (§4.4).
 */
export function createSenmlDecoder(settings: SenmlPayloadSettings): PayloadDecoder {
  const names = new SenmlNames(settings);
  const fields = new SenmlFields();
  const pack = new SenmlPack(fields);
  const parse = settings.format === "senml-json" ? parseJsonPack : parseCborPack;
  const fill = settings.format === "senml-json" ? fillFromJson : fillFromCbor;
  return {
    needsTopicMetric: false,
    namesDevice: names.namesDevice,
    decode(payload, sink, context) {
      const records = parse(payload);
      const giver = new RecordGiver(sink, context);
      pack.begin();
      for (const record of records) {
        fields.clear();
        fill(record, fields);
        if (pack.next(context.receivedAtUs)) giver.give(pack, names.find(pack.baseName, pack.name));
      }
    },
  };
}

/** Gives records to the sink, those of one device and time as one. */
class RecordGiver {
  readonly #sink: ValueSink;
  readonly #context: PayloadContext;
  #isOpen = false;
  #device: string | undefined;
  #measuredAtUs: number | undefined;

  constructor(sink: ValueSink, context: PayloadContext) {
    this.#sink = sink;
    this.#context = context;
  }

  give(pack: SenmlPack, name: SenmlName): void {
    const { value, sum, unit } = pack;
    this.#begin(pack, name);
    if (value !== undefined || sum === undefined) this.#sink.value(name.metric, value, unit);
    if (sum !== undefined)
      this.#sink.value(name.sumMetric, sum, unit === undefined ? undefined : `${unit}.s`);
  }

  #begin(pack: SenmlPack, { device, mistake }: SenmlName): void {
    const { measuredAtUs } = pack;
    if (pack.mistake !== undefined) this.#refuse("payload.malformed", pack.mistake);
    else if (mistake !== undefined) this.#refuse("metric.unknown", mistake);
    else if (Number.isNaN(measuredAtUs))
      this.#refuse(
        "time.invalid",
        `The time of record ${pack.place} is not a time near ${this.#context.receivedAtUs} µs.`,
      );
    else if (!this.#isOpen || device !== this.#device || measuredAtUs !== this.#measuredAtUs) {
      this.#isOpen = true;
      this.#device = device;
      this.#measuredAtUs = measuredAtUs;
      this.#sink.record(measuredAtUs, device, pack.clock);
    }
  }

  #refuse(reason: "payload.malformed" | "metric.unknown" | "time.invalid", detail: string): void {
    this.#isOpen = false;
    this.#sink.refuse(reason, detail);
  }
}

function checkPack(pack: unknown): readonly unknown[] {
  if (Array.isArray(pack) && pack.length > 0) return pack;
  throw malformed(`The payload is ${showValue(pack)}, not an array of one or more SenML records.`);
}

const parseJsonPack = (payload: Uint8Array): readonly unknown[] => checkPack(parseJson(payload));

function fillFromJson(record: unknown, fields: SenmlFields): void {
  if (!isObject(record)) throw malformed(`A record of the pack is ${showValue(record)}, not an object.`);
  for (const label of Object.keys(record)) fields.set(label, record[label] ?? undefined);
}

function parseCborPack(payload: Uint8Array): readonly unknown[] {
  try {
    return checkPack(decodeCbor(payload, { useMaps: true, tags: { [DECIMAL_FRACTION]: decimalFraction } }));
  } catch (error) {
    // What the library throws, and a stack that overflows because the payload nests without end, are no errors of ours.
    if (error instanceof PipelineError) throw error;
    const why = error instanceof Error ? error.message.replace("CBOR decode error: ", "") : String(error);
    throw malformed(`The payload is not CBOR: ${why.slice(0, 200)}.`);
  }
}

/** Written out in decimal, so that it is rounded once. */
function decimalFraction(content: () => unknown): unknown {
  const parts = content();
  if (!Array.isArray(parts) || parts.length !== 2) return parts;
  const [exponent, mantissa]: readonly unknown[] = parts;
  const isWhole = (part: unknown): part is bigint | number =>
    typeof part === "bigint" || Number.isSafeInteger(part);
  return isWhole(exponent) && isWhole(mantissa) ? Number(`${mantissa}e${exponent}`) : parts;
}

function fillFromCbor(record: unknown, fields: SenmlFields): void {
  if (!(record instanceof Map)) throw malformed(`A record of the pack is ${showValue(record)}, not a map.`);
  for (const [key, value] of record) {
    const label: unknown = typeof key === "number" ? CBOR_LABELS[key - CBOR_LABEL_MIN] : key;
    if (typeof label === "string") fields.set(label, plainOf(value));
  }
}

/** As JSON would have said it. */
function plainOf(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64url");
  return value ?? undefined;
}
