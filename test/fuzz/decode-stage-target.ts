import { Decoder } from "../../edge/decode/decoder.ts";
import { decodeSettingsSchema } from "../../edge/decode/settings.ts";
import { decoderTargets } from "./decoder-targets.ts";
import type { FuzzTarget } from "./target.ts";

const NOW_US = 1_704_067_200_000_000;

const ROUTES = [
  { topic: "json/{device}", payload: { format: "json", compression: "auto" } },
  { topic: "number/{device}/{metric}", payload: { format: "number" } },
  { topic: "csv/{device}", payload: { format: "csv" } },
  { topic: "senml/{device}", payload: { format: "senml-json" } },
  { topic: "cbor/+", payload: { format: "senml-cbor", name: "{device}:{metric}" } },
  { topic: "spBv1.0/#", payload: { format: "sparkplug-b" } },
  { topic: "wave/{device}/{metric}", payload: { format: "waveform-binary", type: "int16", rateHz: 1_000 } },
];
const TOPICS = [
  "json/p1",
  "number/p1/m",
  "csv/p1",
  "senml/p1",
  "cbor/x",
  "spBv1.0/g/NBIRTH/n",
  "spBv1.0/g/NDATA/n",
  "wave/p1/m",
  "sluice/labels",
  "no/route",
];

/** Topics whose route may well read a payload that begins with a byte: most payloads should get far. */
const LIKELY: Readonly<Record<number, readonly string[]>> = {
  0x08: ["spBv1.0/g/NBIRTH/n", "spBv1.0/g/NDATA/n"],
  0x1f: ["json/p1"],
  0x28: ["json/p1"],
  0x5b: ["json/p1", "senml/p1"],
  0x7b: ["json/p1"],
  0x81: ["cbor/x"],
  0x85: ["cbor/x"],
};

const settings = decodeSettingsSchema.parse({
  routes: ROUTES.map((route) => ({ ...route, deviceType: "pump" })),
  contracts: [{ deviceType: "pump", metrics: { flow: { unit: "L/min", min: 0 } }, unknownMetrics: "accept" }],
});
const decoder = new Decoder({ ...settings, limits: settings });
let offset = 0;

/** The whole stage that decodes: any payload on any topic leaves a reading, a label, a refusal, or is counted otherwise. */
export const decodeStageTarget: FuzzTarget = {
  name: "decode stage",
  seeds: decoderTargets.flatMap(({ seeds }) => seeds),
  run(payload, random) {
    offset += 1;
    const likely = random.int(4) === 0 ? TOPICS : (LIKELY[payload[0] ?? 0] ?? TOPICS);
    const message = {
      offset,
      client: "c",
      packetId: 1,
      qos: 1 as const,
      dup: false,
      retain: false,
      topic: likely[random.int(likely.length)] ?? "",
      payload,
      receivedAtUs: NOW_US + offset * 1_000,
    };
    const { readings, quarantine, counters } = decoder.decode([message]);
    const { messages, ...traces } = counters;
    if (messages !== 1 || Object.values(traces).every((count) => count === 0))
      throw new Error(`the message left no trace: ${JSON.stringify(counters)}`);
    for (let i = 0; i < readings.count; i++)
      if (!Number.isFinite(readings.value[i])) throw new Error(`a reading is ${readings.value[i]}`);
    return quarantine.length === 0 ? "accepted" : "refused";
  },
};
