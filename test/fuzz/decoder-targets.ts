import { gzipSync, zstdCompressSync } from "node:zlib";
import type { PayloadContext, ValueSink } from "@sluice/shared/codec/payload/payload-decoder.ts";
import { createPayloadDecoder } from "@sluice/shared/codec/payload/registry.ts";
import { payloadSettingsSchema } from "@sluice/shared/codec/payload/settings.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { encode } from "cborg";
import { get } from "sparkplug-payload";
import type { FuzzTarget, Outcome } from "./target.ts";

const NOW_US = 1_704_067_200_000_000;
const NOW_MS = NOW_US / 1_000;

/** Longest sentence about a refusal: it goes into the lake, so no payload may make it longer. */
const DETAIL_LENGTH_MAX = 1_000;

/** Counts what a payload gives, and checks that each call keeps to the sink's contract. */
class CheckedSink implements ValueSink {
  calls = 0;

  record(measuredAtUs: number | undefined, device?: string): void {
    this.calls += 1;
    if (measuredAtUs !== undefined && !Number.isInteger(measuredAtUs))
      throw new Error(`the event time is ${measuredAtUs}`);
    if (device !== undefined && typeof device !== "string")
      throw new Error(`the device is ${String(device)}`);
  }

  refuse(reason: string, detail: string): void {
    this.calls += 1;
    if (detail.length > DETAIL_LENGTH_MAX || !/^[A-Z].*\.$/s.test(detail))
      throw new Error(`${reason} in ${detail.length} characters: ${detail.slice(0, 80)}`);
  }

  value(metric: string, _value: unknown, unit?: string): void {
    this.calls += 1;
    if (typeof metric !== "string" || (unit !== undefined && typeof unit !== "string"))
      throw new Error("the metric or its unit is no text");
  }

  event(): void {
    this.calls += 1;
  }

  request(): void {
    this.calls += 1;
  }

  ignore(): void {
    this.calls += 1;
  }
}

interface DecoderCase {
  readonly name: string;
  readonly settings: object;
  readonly seeds: readonly (Uint8Array | string)[];
  readonly topics?: readonly string[];
  /** Packs a payload after it was changed, so that the change arrives. */
  readonly pack?: (payload: Uint8Array) => Uint8Array;
}

/** A payload gives at most a record and a value for each two bytes, and a few calls besides. */
const callsMax = (bytes: number): number => bytes * 2 + 16;

function decoderTarget({ name, settings, seeds, topics = ["a/b"], pack }: DecoderCase): FuzzTarget {
  const parsed = payloadSettingsSchema.parse(settings);
  const decoder = createPayloadDecoder(parsed);
  let receivedAtUs = NOW_US;
  return {
    name,
    seeds: seeds.map((seed) => (typeof seed === "string" ? new TextEncoder().encode(seed) : seed)),
    run(payload, random) {
      receivedAtUs += random.int(5_000_000);
      const topic = topics[random.int(topics.length)] ?? "";
      const sink = new CheckedSink();
      const sent = pack?.(payload) ?? payload;
      const outcome = decode(
        { payload: sent, sink, context: { topic, metric: "m", receivedAtUs, isAgain: random.int(8) === 0 } },
        decoder,
      );
      const bytes = parsed.compression === "none" ? sent.length : parsed.unpackedBytesMax;
      if (sink.calls > callsMax(bytes)) throw new Error(`${sent.length} bytes gave ${sink.calls} calls`);
      return outcome;
    },
  };
}

interface Decoding {
  readonly payload: Uint8Array;
  readonly sink: ValueSink;
  readonly context: PayloadContext;
}

function decode(
  { payload, sink, context }: Decoding,
  decoder: ReturnType<typeof createPayloadDecoder>,
): Outcome {
  try {
    decoder.decode(payload, sink, context);
    return "accepted";
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== "payload.malformed") throw error;
    sink.refuse("payload.malformed", error.message);
    return "refused";
  }
}

const JSON_SEEDS = [
  '{"flow":1.5,"head":{"v":2,"u":"m"},"t":1704067200000,"id":"p1"}',
  '[{"t":1,"v":10},{"t":2.5,"v":"20","id":7},{"t":null,"v":[1,2]}]',
  '{"series":[{"points":[{"t":1704067199000,"v":1},{"t":"1704067199500","v":2}]},{"points":[]}]}',
  '{"a\\u00e9":true,"b":1e3,"c":-0.5,"__proto__":{"x":1},"constructor":2}',
];
const CSV_SEEDS = ["a,b,c\n1,2,3\n4,5,6\n", 'a;"b";"c""d"\r\n1;2;3\r\n', "2023-12-31T23:59:59Z,1.5,nan\n"];
const PACK = [
  { bn: "urn:dev:ow:10e2073a01080063:", bt: 1.704e9, bu: "A", bver: 5, n: "voltage", u: "V", v: 120.1 },
  { n: "current", t: -5, v: 1.2 },
  { n: "on", vb: true },
  { n: "text", vs: "x" },
  { n: "energy", s: 5.5, bs: 1 },
];
const LABELS: Readonly<Record<string, number>> = {
  bs: -6,
  bu: -4,
  bt: -3,
  bn: -2,
  bver: -1,
  n: 0,
  u: 1,
  v: 2,
  vs: 3,
  vb: 4,
  s: 5,
  t: 6,
};
const CBOR_PACK = encode(
  PACK.map(
    (record) => new Map(Object.entries(record).map(([label, value]) => [LABELS[label] ?? label, value])),
  ),
);
const DECIMAL_FRACTION = Uint8Array.from(Buffer.from("81a200616102c48221196ab3", "hex"));

const tahu = get("spBv1.0");
const SPARKPLUG = [
  { name: "bdSeq", type: "Int64", value: 1 },
  {
    name: "flow",
    alias: 1,
    type: "Float",
    value: 1.5,
    properties: { engUnit: { type: "String", value: "L/min" } },
  },
  { name: "steps", alias: 2, type: "Int16", value: -3 },
  { name: "running", alias: 3, type: "Boolean", value: true },
  { name: "maker", alias: 4, type: "String", value: "somebody" },
] as const;
const SPARKPLUG_SEEDS = [0, 1, 2, 255].map(
  (seq) =>
    tahu?.encodePayload({
      timestamp: NOW_MS,
      seq,
      metrics: SPARKPLUG.map((metric, alias) => (seq < 2 ? { ...metric } : { ...metric, name: null, alias })),
    }) ?? new Uint8Array(),
);
const SPARKPLUG_TOPICS = [
  "NBIRTH/n",
  "DBIRTH/n/d",
  "NDATA/n",
  "DDATA/n/d",
  "NDEATH/n",
  "DDEATH/n/d",
  "NBIRTH/o",
].map((rest) => `spBv1.0/g/${rest}`);

const WAVEFORM_SEED = '{"t0":"2023-12-31T23:59:59Z","hz":12000,"x":[1,2,3,-4.5,null],"y":[1,2,3,4,5]}';
const samples = Buffer.alloc(8 + 64, 7);
samples.writeBigInt64LE(BigInt(NOW_US), 0);

/** Every payload decoder, with the settings that make it do the most. */
export const decoderTargets: readonly FuzzTarget[] = [
  { name: "json, every field", settings: { format: "json" }, seeds: JSON_SEEDS },
  {
    name: "json, named fields",
    settings: {
      format: "json",
      records: "series.points",
      metrics: { v: "v", head: "head.v" },
      units: { head: "head.u" },
      device: "id",
      time: { path: "t", unit: "ms" },
    },
    seeds: JSON_SEEDS,
  },
  { name: "number", settings: { format: "number" }, seeds: ["21.5", " -1e3 ", "NaN"] },
  { name: "csv", settings: { format: "csv" }, seeds: CSV_SEEDS },
  {
    name: "csv, named columns",
    settings: { format: "csv", columns: ["t", "a", "b"], time: { column: "t", unit: "iso" } },
    seeds: CSV_SEEDS,
  },
  { name: "senml-json", settings: { format: "senml-json" }, seeds: [JSON.stringify(PACK)] },
  {
    name: "senml-cbor",
    settings: { format: "senml-cbor", name: "urn:dev:ow:{device}:{metric}" },
    seeds: [CBOR_PACK, DECIMAL_FRACTION],
  },
  {
    name: "sparkplug-b",
    settings: { format: "sparkplug-b", unitProperty: "engUnit" },
    seeds: SPARKPLUG_SEEDS,
    topics: SPARKPLUG_TOPICS,
  },
  {
    name: "waveform-json",
    settings: {
      format: "waveform-json",
      metrics: { x: "x", y: "y" },
      rate: "hz",
      start: { path: "t0", unit: "iso" },
    },
    seeds: [WAVEFORM_SEED],
  },
  {
    name: "waveform-binary",
    settings: { format: "waveform-binary", type: "float64", rateHz: 12_000, start: { unit: "us" } },
    seeds: [samples],
  },
  {
    name: "packed, then changed",
    settings: { format: "json", compression: "auto" },
    seeds: JSON_SEEDS.flatMap((text) => [gzipSync(text), zstdCompressSync(text)]),
  },
  {
    name: "changed, then packed",
    settings: { format: "json", compression: "zstd", unpackedBytesMax: 20_000 },
    seeds: JSON_SEEDS,
    pack: (payload: Uint8Array) => zstdCompressSync(payload),
  },
].map(decoderTarget);
