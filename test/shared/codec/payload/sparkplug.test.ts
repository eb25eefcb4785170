import { payloadSettingsSchema } from "@sluice/shared/codec/payload/settings.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodePayload } from "./calls.ts";
import {
  born,
  byAlias,
  DEVICE_BIRTH,
  Listener,
  message,
  type Metric,
  NODE_BIRTH,
  NOW_MS,
  NOW_US,
  values,
} from "./sparkplug-messages.ts";

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
  const metric = `0a017820${Buffer.from([type]).toString("hex")}${hex}`;
  const payload = Buffer.from(`12${Buffer.from([metric.length / 2]).toString("hex")}${metric}1800`, "hex");
  const calls = values(new Listener().take("g/NBIRTH/n", payload));
  const told = calls.flatMap((call) => (call[0] === "value" ? [] : [call[2]]))[0];
  const refused = typeof is === "string" ? `The metric "x" ${is}.` : undefined;
  expect(calls.map(([kind]) => kind)).toEqual(
    is === undefined ? [] : [refused === undefined ? "record" : "refuse", "value"],
  );
  expect(refused === undefined ? calls[1]?.[2] : told).toBe(refused ?? is);
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
