import type { PayloadDecoder } from "@sluice/shared/codec/payload/payload-decoder.ts";
import { payloadSettingsSchema } from "@sluice/shared/codec/payload/settings.ts";
import type { OutgoingMessage } from "@sluice/shared/contract/message.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Call, callsOf, decodePayload, decoderOf } from "./calls.ts";
import { byAlias, decodeSparkplug, message, type Metric, NOW_MS, NOW_US } from "./sparkplug-messages.ts";

/** A gateway's view of one broker: messages go in by their topic, calls come out. */
class Listener {
  readonly decoder: PayloadDecoder;
  #atUs = NOW_US;

  constructor(settings: object = {}) {
    this.decoder = decoderOf({ format: "sparkplug-b", ...settings });
  }

  take(topic: string, payload: Uint8Array): Call[] {
    return callsOf(this.decoder, payload, { topic: `spBv1.0/${topic}`, receivedAtUs: this.#atUs });
  }

  wait(ms: number): this {
    this.#atUs += ms * 1_000;
    return this;
  }
}

const NODE_BIRTH: Metric[] = [
  { name: "bdSeq", type: "Int64", value: 4 },
  { name: "Node Control/Rebirth", type: "Boolean", value: false },
  { name: "load", alias: 1, type: "Double", value: 0.5, timestamp: NOW_MS - 1_000 },
];
const DEVICE_BIRTH: Metric[] = [
  { name: "flow", alias: 10, type: "Float", value: 1.5 },
  { name: "steps", alias: 11, type: "Int32", value: -3 },
  { name: "running", alias: 12, type: "Boolean", value: true },
];

function born(settings: object = {}): Listener {
  const listener = new Listener(settings);
  listener.take("plant/NBIRTH/n1", message(0, NODE_BIRTH));
  listener.take("plant/DBIRTH/n1/pump", message(1, DEVICE_BIRTH));
  return listener;
}

const values = (calls: readonly Call[]): Call[] => calls.filter(([kind]) => kind !== "ignore");
const kinds = (calls: readonly Call[]): string[] => values(calls).map(([kind]) => kind);

test("births name metrics and give their values; data refers to them by alias, at its own or the payload's time", () => {
  const listener = new Listener();
  expect(values(listener.take("plant/NBIRTH/n1", message(0, NODE_BIRTH)))).toEqual([
    ["record", NOW_US - 1_000_000, "plant.n1"],
    ["value", "load", 0.5],
  ]);
  expect(values(listener.take("plant/DBIRTH/n1/pump", message(1, DEVICE_BIRTH)))).toEqual([
    ["record", NOW_US, "plant.n1.pump"],
    ["value", "flow", 1.5],
    ["value", "steps", -3],
    ["value", "running", 1],
  ]);
  const data = [
    byAlias(10, "Float", 2.5, { timestamp: NOW_MS + 5 }),
    byAlias(11, "Int32", -7),
    byAlias(12, "Boolean", false),
  ];
  expect(values(listener.take("plant/DDATA/n1/pump", message(2, data)))).toEqual([
    ["record", NOW_US + 5_000, "plant.n1.pump"],
    ["value", "flow", 2.5],
    ["record", NOW_US, "plant.n1.pump"],
    ["value", "steps", -7],
    ["value", "running", 0],
  ]);
  expect(values(listener.take("plant/NDATA/n1", message(3, [byAlias(1, "Double", 0.75)])))).toEqual([
    ["record", NOW_US, "plant.n1"],
    ["value", "load", 0.75],
  ]);
});

test("metrics without aliases are found by name, and historical values are given at their own time", () => {
  const listener = new Listener();
  listener.take("g/NBIRTH/n", message(0, [{ name: "level", type: "UInt16", value: 1 }]));
  const old = {
    name: "level",
    type: "UInt16",
    value: 2,
    timestamp: NOW_MS - 3_600_000,
    isHistorical: true,
  } as Metric;
  expect(values(listener.take("g/NDATA/n", message(1, [old])))).toEqual([
    ["record", NOW_US - 3_600_000_000, "g.n"],
    ["value", "level", 2],
  ]);
});

test("null in a birth is no value yet, and in data it is given on", () => {
  const listener = new Listener();
  const birth = [{ name: "level", alias: 1, type: "Int32", value: null, isNull: true } as Metric];
  expect(listener.take("g/NBIRTH/n", message(0, birth))).toEqual([["ignore"]]);
  expect(
    values(listener.take("g/NDATA/n", message(1, [byAlias(1, "Int32", null, { isNull: true })]))),
  ).toEqual([
    ["record", NOW_US, "g.n"],
    ["value", "level", null],
  ]);
});

const SIGNED = [
  ["Int8", -128, 127],
  ["Int16", -32_768, 32_767],
  ["Int32", -2_147_483_648, 2_147_483_647],
  ["Int64", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ["UInt8", 0, 255],
  ["UInt16", 0, 65_535],
  ["UInt32", 0, 4_294_967_295],
  ["UInt64", 0, Number.MAX_SAFE_INTEGER],
  ["DateTime", 0, NOW_MS * 2],
] as const;

test.each(SIGNED)("%s comes back from an independent encoder over its whole range", (type, min, max) => {
  fc.assert(
    fc.property(fc.oneof(fc.integer({ min, max }), fc.constantFrom(min, max, 0)), (value) => {
      const listener = new Listener();
      const calls = listener.take("g/NBIRTH/n", message(0, [{ name: "x", type, value }]));
      expect(values(calls)[1]).toEqual(["value", "x", value]);
    }),
  );
});

test("Float, Double, Boolean and text come back from an independent encoder", () => {
  fc.assert(
    fc.property(fc.float(), fc.double(), fc.boolean(), fc.string(), (float, double, boolean, text) => {
      const metrics: Metric[] = [
        { name: "f", type: "Float", value: float },
        { name: "d", type: "Double", value: double },
        { name: "b", type: "Boolean", value: boolean },
        { name: "s", type: "String", value: text },
      ];
      const calls = values(new Listener().take("g/NBIRTH/n", message(0, metrics)));
      expect(calls.slice(1).map((call) => call[2])).toEqual([float, double, Number(boolean), text]);
    }),
  );
});

test.each([
  // int_value is field 10 (tag 0x50), long_value field 11 (0x58).
  { type: 1, hex: "50ff01", is: -1, why: "an Int8 cut to its width" },
  { type: 1, hex: "50ffffffff0f", is: -1, why: "an Int8 extended to 32 bits" },
  { type: 1, hex: "50ffffffffffffffffff01", is: -1, why: "an Int8 extended to 64 bits" },
  { type: 1, hex: "508002", is: "is Int8 by its birth, but 256 does not fit", why: "an Int8 too large" },
  { type: 2, hex: "50808002", is: -32_768, why: "an Int16 cut to its width" },
  { type: 3, hex: "58ffffffffffffffffff01", is: -1, why: "an Int32 in the long field" },
  { type: 5, hex: "508002", is: "is UInt8 by its birth, but 256 does not fit", why: "a UInt8 too large" },
  { type: 7, hex: "58ffffffff0f", is: 4_294_967_295, why: "a UInt32 in the long field" },
  { type: 4, hex: "5005", is: 5, why: "an Int64 in the int field" },
  { type: 8, hex: "58ffffffffffffffffff01", is: 2 ** 64, why: "the largest UInt64, rounded" },
  {
    type: 10,
    hex: "5005",
    is: "is Double by its birth, but has a whole number",
    why: "a Double in the int field",
  },
  { type: 10, hex: "", is: undefined, why: "no value at all in a birth" },
  {
    type: 40,
    hex: "5005",
    is: "has the data type 40, which Sparkplug does not have",
    why: "a type from nowhere",
  },
  { type: 24, hex: "820100", is: "is of the Sparkplug type Int32Array, which is no number", why: "an array" },
])("sign and width: $why", ({ type, hex, is }) => {
  const metric = `0a0178${"20"}${Buffer.from([type]).toString("hex")}${hex}`;
  const payload = Buffer.from(`12${Buffer.from([metric.length / 2]).toString("hex")}${metric}1800`, "hex");
  const calls = values(new Listener().take("g/NBIRTH/n", payload));
  if (is === undefined) expect(calls).toEqual([]);
  else if (typeof is === "string") {
    expect(calls).toEqual([
      ["refuse", expect.any(String), `The metric "x" ${is}.`],
      ["value", "x", undefined],
    ]);
  } else expect(calls[1]).toEqual(["value", "x", is]);
});

test("data before a birth is refused as a whole, and a rebirth is asked for once in ten seconds", () => {
  const listener = new Listener();
  const data = message(5, [byAlias(1, "Int32", 1), byAlias(2, "Int32", 2)]);
  expect(listener.take("g/NDATA/n", data)).toEqual([
    ["refuse", "metric.unknown", 'There is data of "g.n", but no birth of it was seen.'],
    ["request", "spBv1.0/g/NCMD/n"],
  ]);
  expect(kinds(listener.wait(9_999).take("g/DDATA/n/d", data))).toEqual(["refuse"]);
  expect(kinds(listener.take("g/NDATA/other", data))).toEqual(["refuse", "request"]);
  expect(kinds(listener.wait(1).take("g/NDATA/n", data))).toEqual(["refuse", "request"]);
});

test("an alias that is in no birth is refused by itself and a rebirth is asked for", () => {
  const data = message(2, [byAlias(10, "Float", 1), byAlias(99, "Int32", 2), byAlias(11, "Int32", 3)]);
  expect(values(born().take("plant/DDATA/n1/pump", data))).toEqual([
    ["record", NOW_US, "plant.n1.pump"],
    ["value", "flow", 1],
    ["refuse", "metric.unknown", 'The alias 99 is not in the birth of "plant.n1.pump".'],
    ["value", "", undefined],
    ["request", "spBv1.0/plant/NCMD/n1"],
    ["record", NOW_US, "plant.n1.pump"],
    ["value", "steps", 3],
  ]);
});

test("no rebirth is asked for where the settings say so", () => {
  const listener = new Listener({ rebirth: false });
  expect(kinds(listener.take("g/NDATA/n", message(5, [byAlias(1, "Int32", 1)])))).toEqual(["refuse"]);
});

test("the rebirth request is what an independent decoder reads as one", () => {
  let asked: OutgoingMessage | undefined;
  const sink = {
    record() {},
    refuse() {},
    value() {},
    event() {},
    ignore() {},
    request: (message: OutgoingMessage) => (asked = message),
  };
  new Listener().decoder.decode(message(1, []), sink, {
    topic: "spBv1.0/g/NDATA/n",
    metric: undefined,
    receivedAtUs: NOW_US + 999,
  });
  expect(asked).toMatchObject({ topic: "spBv1.0/g/NCMD/n", qos: 0, retain: false });
  const payload = decodeSparkplug(asked?.payload as Uint8Array);
  expect(Number(payload.timestamp)).toBe(NOW_MS);
  expect(payload.seq ?? undefined).toBeUndefined();
  expect(payload.metrics).toMatchObject([{ name: "Node Control/Rebirth", type: "Boolean", value: true }]);
});

test("missing sequence numbers are counted, over the turn at 255 too; repeated and late ones are not", () => {
  const gaps = (from: number, ...then: number[]): number[] => {
    const listener = new Listener();
    listener.take("g/NBIRTH/n", message(from, NODE_BIRTH));
    return then.flatMap((seq) =>
      listener
        .take("g/NDATA/n", message(seq, [byAlias(1, "Double", 1)]))
        .filter(([kind]) => kind === "event")
        .map((call) => Number(/ (\d+) messages are missing/.exec(String(call[2]))?.[1])),
    );
  };
  expect(gaps(0, 1, 2, 3)).toEqual([]);
  expect(gaps(254, 255, 0, 1)).toEqual([]);
  expect(gaps(0, 3, 4)).toEqual([2]);
  expect(gaps(250, 5)).toEqual([10]);
  expect(gaps(0, 1, 1, 2)).toEqual([]);
  expect(gaps(0, 2, 1, 3)).toEqual([1]);
});

test("a gap is told as an event, and a rebirth is asked for", () => {
  const calls = born().take("plant/NDATA/n1", message(4, [byAlias(1, "Double", 1)]));
  expect(values(calls)).toEqual([
    [
      "event",
      "sparkplug.gap",
      'Of the edge node "plant/n1" 2 messages are missing before sequence number 4.',
    ],
    ["request", "spBv1.0/plant/NCMD/n1"],
    ["record", NOW_US, "plant.n1"],
    ["value", "load", 1],
  ]);
});

test("a death ends the session: later data is refused until the next birth", () => {
  const listener = born();
  const death = message(undefined, [{ name: "bdSeq", type: "Int64", value: 4 }]);
  expect(listener.take("plant/NDEATH/n1", death)).toEqual([
    ["ignore"],
    ["event", "sparkplug.death", 'The edge node "plant/n1" is gone, and with it 1 devices.'],
  ]);
  expect(kinds(listener.take("plant/DDATA/n1/pump", message(2, [byAlias(10, "Float", 1)])))).toContain(
    "refuse",
  );
  listener.take("plant/NBIRTH/n1", message(0, NODE_BIRTH));
  expect(kinds(listener.take("plant/NDATA/n1", message(1, [byAlias(1, "Double", 1)])))).toEqual([
    "record",
    "value",
  ]);
  expect(
    listener.take("plant/NDEATH/n1", message(undefined, [{ name: "bdSeq", type: "Int64", value: 3 }])),
  ).toEqual([["ignore"]]);
  expect(kinds(listener.take("plant/NDATA/n1", message(2, [byAlias(1, "Double", 1)])))).toEqual([
    "record",
    "value",
  ]);
});

test("a device's death ends the device alone", () => {
  const listener = born();
  expect(listener.take("plant/DDEATH/n1/pump", message(2, []))).toEqual([
    ["ignore"],
    ["event", "sparkplug.death", 'The device "pump" of the edge node "plant/n1" is gone.'],
  ]);
  expect(kinds(listener.take("plant/DDATA/n1/pump", message(3, [byAlias(10, "Float", 1)])))).toContain(
    "refuse",
  );
  expect(kinds(listener.take("plant/NDATA/n1", message(4, [byAlias(1, "Double", 1)])))).toEqual([
    "record",
    "value",
  ]);
});

test("a birth of a device counts although the edge node's was not seen, and that one is asked for", () => {
  const listener = new Listener();
  expect(kinds(listener.take("plant/DBIRTH/n1/pump", message(7, DEVICE_BIRTH)))).toEqual([
    "request",
    "record",
    "value",
    "value",
    "value",
  ]);
  expect(kinds(listener.take("plant/DDATA/n1/pump", message(8, [byAlias(10, "Float", 1)])))).toEqual([
    "record",
    "value",
  ]);
});

test.each(["plant/NCMD/n1", "plant/DCMD/n1/pump", "STATE/scada"])(
  "%s carries no readings, whatever is in it",
  (topic) => {
    expect(born().take(topic, new Uint8Array([0xff]))).toEqual([["ignore"]]);
  },
);

test.each([
  "plant/NDATA",
  "plant/NDATA/n1/pump",
  "plant/DDATA/n1",
  "plant/XDATA/n1",
  "plant/NDATA/n1/a/b",
  "/NDATA/n",
])("the topic spBv1.0/%s is not one of Sparkplug", (topic) => {
  expect(() => new Listener().take(topic, message(0, []))).toThrow("is not one of Sparkplug B");
});

test("names follow the settings, units come from births, and metrics can be ignored", () => {
  const listener = new Listener({
    nodeName: "{node}",
    deviceName: "{node}-{device}",
    unitProperty: "engUnit",
    ignore: ["Properties/*", "debug"],
  });
  listener.take("g/NBIRTH/n", message(0, []));
  const birth: Metric[] = [
    {
      name: "flow",
      alias: 1,
      type: "Float",
      value: 1,
      properties: { engUnit: { type: "String", value: "L/min" } },
    },
    { name: "Properties/Maker", type: "String", value: "somebody" },
    { name: "debug", type: "Int32", value: 1 },
  ];
  expect(values(listener.take("g/DBIRTH/n/d", message(1, birth)))).toEqual([
    ["record", NOW_US, "n-d"],
    ["value", "flow", 1, "L/min"],
  ]);
  expect(values(listener.take("g/DDATA/n/d", message(2, [byAlias(1, "Float", 2)])))).toEqual([
    ["record", NOW_US, "n-d"],
    ["value", "flow", 2, "L/min"],
  ]);
});

test.each([
  { nodeName: "{device}" },
  { deviceName: "{group}" },
  { nodeName: "a/{node}" },
  { deviceName: "{x}{device}" },
])("a name that cannot tell devices apart is a mistake in the settings: %s", (settings) => {
  expect(payloadSettingsSchema.safeParse({ format: "sparkplug-b", ...settings }).success).toBe(false);
});

test.each([
  ["a metric that is cut off", "120a0a01", "is longer than the payload"],
  ["a varint that never ends", "08ffffffffffffffffffffff", "The payload is not Sparkplug B at byte"],
  ["a field number 0", "0000", "there is a field number 0"],
  ["text that is no UTF-8", "12030a01ff", "The payload is not Sparkplug B at byte"],
  ["a birth without a name", "12021001", "Metric 0 of the birth has no name"],
])("a payload is refused as a whole: %s", (_, hex, sentence) => {
  const payload = Uint8Array.from(Buffer.from(hex, "hex"));
  const decode = (): unknown =>
    decodePayload({ format: "sparkplug-b" }, payload, { topic: "spBv1.0/g/NBIRTH/n" });
  expect(decode).toThrow(sentence);
});

test("what is remembered is carried over a restart as JSON", () => {
  const commands = fc.array(
    fc.tuple(
      fc.constantFrom(
        "NBIRTH/n1",
        "NDATA/n1",
        "NDEATH/n1",
        "DBIRTH/n1/d",
        "DDATA/n1/d",
        "DDEATH/n1/d",
        "NDATA/n2",
      ),
      fc.nat(255),
      fc.array(fc.nat(3), { maxLength: 3 }),
      fc.nat(6_000),
    ),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(commands, fc.nat(30), (drawn, at) => {
      const whole = new Listener();
      let cut = new Listener();
      for (const [place, [topic, seq, aliases, waitMs]] of drawn.entries()) {
        if (place === at) {
          const saved = JSON.parse(JSON.stringify(cut.decoder.memory?.save()));
          cut = new Listener().wait(drawn.slice(0, place).reduce((sum, [, , , ms]) => sum + ms, 0));
          cut.decoder.memory?.restore(saved);
        }
        const metrics = aliases.map(
          (alias) => ({ name: `m${alias}`, alias, type: "Int32", value: seq }) as Metric,
        );
        const payload = message(seq, metrics);
        expect(cut.wait(waitMs).take(`g/${topic}`, payload)).toEqual(
          whole.wait(waitMs).take(`g/${topic}`, payload),
        );
      }
      expect(cut.decoder.memory?.save()).toEqual(whole.decoder.memory?.save());
    }),
    { numRuns: 300 },
  );
});

test("however many edge nodes and metrics come, what is remembered stays within its limits", () => {
  const listener = new Listener({ rebirth: true });
  const metrics = Array.from(
    { length: 100 },
    (_, i) => ({ name: `m${i}`, alias: i, type: "Int32", value: i }) as Metric,
  );
  const large = message(0, metrics);
  for (let n = 0; n < 700; n++) listener.take(`g/NBIRTH/n${n}`, large);
  const saved = listener.decoder.memory?.save() as { nodes: unknown[]; asked: unknown[] };
  expect(saved.nodes).toHaveLength(Math.floor(50_000 / 101));
  for (let n = 0; n < 3_000; n++) listener.take(`g/NDATA/x${n}`, message(0, []));
  for (let n = 0; n < 1_500; n++) listener.take(`g/NBIRTH/s${n}`, message(0, []));
  const later = listener.decoder.memory?.save() as typeof saved;
  expect(later.nodes).toHaveLength(1_000);
  expect(later.asked).toHaveLength(1_000);
  const data = message(1, [byAlias(1, "Int32", 1)]);
  expect(kinds(listener.take("g/NDATA/n0", data))).toContain("refuse");
});
