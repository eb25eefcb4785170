import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { encode } from "cborg";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Call, decodePayload } from "./calls.ts";

const NOW_US = 1_704_067_200_000_000;

const fromJson = (pack: unknown, settings: object = {}): Call[] =>
  decodePayload({ format: "senml-json", ...settings }, JSON.stringify(pack), { receivedAtUs: NOW_US });

const fromCbor = (pack: unknown, settings: object = {}): Call[] =>
  decodePayload({ format: "senml-cbor", ...settings }, encode(pack), { receivedAtUs: NOW_US });

/** A record as RFC 8428 §6 labels it in CBOR. */
const LABELS: Readonly<Record<string, number>> = {
  bs: -6,
  bv: -5,
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
  ut: 7,
  vd: 8,
};
const labelled = (pack: readonly object[]): unknown =>
  pack.map((record) => new Map(Object.entries(record).map(([key, value]) => [LABELS[key] ?? key, value])));

test("the pack of RFC 8428 §5.1.3 is read with its base fields", () => {
  const pack = [
    {
      bn: "urn:dev:ow:10e2073a0108006:",
      bt: 1.276020076001e9,
      bu: "A",
      bver: 5,
      n: "voltage",
      u: "V",
      v: 120.1,
    },
    { n: "current", t: -5, v: 1.2 },
    { n: "current", t: -4, v: 1.3 },
    { n: "current", v: 1.7 },
  ];
  const settings = { name: "urn:dev:ow:{device}:{metric}" };
  const expected = [
    ["record", 1_276_020_076_001_000, "10e2073a0108006"],
    ["value", "voltage", 120.1, "V"],
    ["record", 1_276_020_071_001_000, "10e2073a0108006"],
    ["value", "current", 1.2, "A"],
    ["record", 1_276_020_072_001_000, "10e2073a0108006"],
    ["value", "current", 1.3, "A"],
    ["record", 1_276_020_076_001_000, "10e2073a0108006"],
    ["value", "current", 1.7, "A"],
  ];
  expect(fromJson(pack, settings)).toEqual(expected);
  expect(fromCbor(labelled(pack), settings)).toEqual(expected);
});

test("without a template the whole name is the metric, of the topic's device", () => {
  expect(
    fromJson([
      { bn: "pump/", n: "flow", v: 1 },
      { bn: "head", v: 2 },
    ]),
  ).toEqual([
    ["record", undefined],
    ["value", "pump/flow", 1],
    ["value", "head", 2],
  ]);
});

test("a template splits a name where the text between device and metric is last", () => {
  expect(fromJson([{ n: "site:a:p1:flow", v: 1 }], { name: "{device}:{metric}" })).toEqual([
    ["record", undefined, "site:a:p1"],
    ["value", "flow", 1],
  ]);
});

test("times below 2^28 seconds are relative to the arrival, and none is the arrival itself", () => {
  const time = (record: object): unknown => fromJson([{ n: "m", v: 1, ...record }])[0];
  expect(time({})).toEqual(["record", undefined]);
  expect(time({ t: 0 })).toEqual(["record", undefined]);
  expect(time({ bt: 5, t: -5 })).toEqual(["record", undefined]);
  expect(time({ t: -2.5 })).toEqual(["record", NOW_US - 2_500_000]);
  expect(time({ bt: -10, t: 1 })).toEqual(["record", NOW_US - 9_000_000]);
  expect(time({ t: 2 ** 28 - 1 })).toEqual(["record", NOW_US + (2 ** 28 - 1) * 1e6]);
  expect(time({ t: 2 ** 28 })).toEqual(["record", 2 ** 28 * 1e6]);
  expect(time({ bt: 1_704_067_200.123456, t: 0.000001 })).toEqual(["record", NOW_US + 123_457]);
  expect(fromJson([{ n: "m", v: 1, t: 1e300 }])[0]?.[0]).toBe("refuse");
});

test("a base field holds from its record on until the next one, also in a record without a value", () => {
  const pack = [
    { bn: "a/", bt: 1_704_067_100, bu: "bar", bv: 10 },
    { n: "x", v: 1 },
    { n: "y", v: 2, u: "Cel" },
    { bn: "b/", bv: 0, n: "x", v: 1 },
  ];
  expect(fromJson(pack)).toEqual([
    ["record", NOW_US - 100_000_000],
    ["value", "a/x", 11, "bar"],
    ["value", "a/y", 12, "Cel"],
    ["value", "b/x", 1, "bar"],
  ]);
  expect(fromJson([{ bn: "a", bv: 7 }, { t: 0 }])).toEqual([
    ["record", undefined],
    ["value", "a", 7],
  ]);
});

test("booleans are numbers; text, data and null are given on to be judged", () => {
  const pack = [
    { n: "on", vb: true },
    { n: "off", vb: false },
    { n: "text", vs: "open" },
    { n: "data", vd: "AQI" },
  ];
  const expected = [
    ["record", undefined],
    ["value", "on", 1],
    ["value", "off", 0],
    ["value", "text", "open"],
    ["value", "data", "AQI"],
  ];
  expect(fromJson(pack)).toEqual(expected);
  const data = labelled([...pack.slice(0, 3), { n: "data", vd: new Uint8Array([1, 2]) }]);
  expect(fromCbor(data)).toEqual(expected);
});

test("a sum is a metric of its own, with its base and its unit by time", () => {
  expect(
    fromJson(
      [
        { bn: "p", bs: 100, u: "W", s: 5, v: 2 },
        { u: "W", s: 6 },
      ],
      { sumSuffix: ":total" },
    ),
  ).toEqual([
    ["record", undefined],
    ["value", "p", 2, "W"],
    ["value", "p:total", 105, "W.s"],
    ["value", "p:total", 106, "W.s"],
  ]);
});

test("a record that is wrong is refused by itself", () => {
  const pack = [
    { n: "a", v: 1, vs: "x" },
    { n: "b" },
    { n: "c", v: 1, t: "now" },
    { n: 7, v: 1 },
    { n: "_d", v: 1 },
    { v: 1 },
    { n: "e", v: null },
    { n: "f", v: 6 },
  ];
  const calls = fromJson(pack);
  expect(calls.filter(([kind]) => kind === "refuse")).toEqual([
    ["refuse", "payload.malformed", "Record 0 has more than one value."],
    ["refuse", "payload.malformed", "Record 1 has neither a value nor a sum."],
    ["refuse", "payload.malformed", 'The field "t" of record 2 is "now", not a number.'],
    ["refuse", "payload.malformed", 'The field "n" of record 3 is 7, not text.'],
    ["refuse", "metric.unknown", expect.stringContaining('"_d" is not a SenML name')],
    ["refuse", "metric.unknown", expect.stringContaining('"" is not a SenML name')],
    ["refuse", "payload.malformed", "Record 6 has neither a value nor a sum."],
  ]);
  expect(calls.slice(-2)).toEqual([
    ["record", undefined],
    ["value", "f", 6],
  ]);
  const unmapped = fromJson([{ n: "flow", v: 1 }], { name: "{device}/{metric}" });
  expect(unmapped[0]).toEqual([
    "refuse",
    "metric.unknown",
    'The name "flow" is not of the form "{device}/{metric}".',
  ]);
});

test.each<[string, unknown, string]>([
  ["no array", { n: "a", v: 1 }, "not an array of one or more SenML records"],
  ["no record", [], "not an array of one or more SenML records"],
  ["a record that is no object", [{ n: "a", v: 1 }, 7], "A record of the pack is 7, not an object"],
  ["a later version", [{ bver: 11, n: "a", v: 1 }], "is of SenML version 11; up to version 10 is read"],
  ["no version", [{ bver: 1.5, n: "a", v: 1 }], 'The base field "bver" of record 0 is 1.5'],
  [
    "two versions",
    [
      { bver: 9, n: "a", v: 1 },
      { bver: 10, n: "a", v: 1 },
    ],
    "Record 1 is of SenML version 10",
  ],
  [
    "a version after none",
    [
      { n: "a", v: 1 },
      { bver: 9, n: "a", v: 1 },
    ],
    "Record 1 is of SenML version 9",
  ],
  ["a field that must be understood", [{ n: "a", v: 1, shape_: 2 }], '"shape_", which must be understood'],
  ["a base time that is no number", [{ bt: "x", n: "a", v: 1 }], 'The base field "bt" of record 0 is "x"'],
  [
    "a base name that is no text",
    [{ bn: 1, n: "a", v: 1 }],
    'The base field "bn" of record 0 is 1, not text',
  ],
  [
    "a base unit that is no text",
    [{ bu: 1, n: "a", v: 1 }],
    'The base field "bu" of record 0 is 1, not text',
  ],
  ["a base name without end", [{ bn: "a".repeat(513), v: 1 }], "at most 512 are read"],
])("a pack is refused as a whole: %s", (_, pack, sentence) => {
  expect(() => fromJson(pack)).toThrow(sentence);
});

test("fields that nobody knows are passed over", () => {
  expect(fromJson([{ n: "a", v: 1, ut: 60, colour: "red" }])).toHaveLength(2);
  expect(
    fromCbor([
      new Map<unknown, unknown>([
        [0, "a"],
        [2, 1],
        [99, 5],
        [-99, 5],
        ["colour", "red"],
      ]),
    ]),
  ).toHaveLength(2);
});

test("CBOR: numbers may be whole, half, big, or decimal fractions; a float that is no number is given on", () => {
  const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
  const value = (hex: string): unknown =>
    decodePayload({ format: "senml-cbor" }, bytes(`81a2006161${hex}`), { receivedAtUs: NOW_US })[1]?.[2];
  expect(value("0218ff")).toBe(255);
  expect(value("023903e7")).toBe(-1_000);
  expect(value("02f93e00")).toBe(1.5);
  expect(value("021b7fffffffffffffff")).toBe(2 ** 63);
  expect(value("02c48221196ab3")).toBe(273.15);
  expect(value("02f97c00")).toBe(Infinity);
  expect(value("02f97e00")).toBeNaN();
});

test.each([
  ["ends early", "81a200", "The payload is not CBOR"],
  ["more behind it", "81a20061610201ff", "The payload is not CBOR"],
  ["a tag that is not known", "81a200616102c100", "The payload is not CBOR"],
  ["a record that is no map", "8101", "A record of the pack is 1, not a map"],
  ["a record that is a very large number", "811bffffffffffffffff", 'is "18446744073709551615", not a map'],
  ["nested without end", "81".repeat(60_000), "The payload is not CBOR"],
])("CBOR that is none is refused: %s", (_, hex, sentence) => {
  const decode = (): unknown =>
    decodePayload({ format: "senml-cbor" }, Uint8Array.from(Buffer.from(hex, "hex")));
  expect(decode).toThrow(PipelineError);
  expect(decode).toThrow(sentence);
});

const name = fc.stringMatching(/^[a-z][a-z0-9/:._-]{0,12}$/);
const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 });
const record = fc.record(
  {
    bn: name,
    bt: fc.integer({ min: 1_500_000_000, max: 1_800_000_000 }),
    bu: fc.constantFrom("bar", "Cel"),
    bv: fc.integer({ min: -100, max: 100 }),
    n: name,
    u: fc.constantFrom("V", "A"),
    v: number,
    t: fc.integer({ min: -1_000, max: 1_000 }),
  },
  { requiredKeys: ["n", "v"] },
);

test("a pack says the same in JSON and in CBOR, and the same as its records resolved one by one", () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 12 }), (pack) => {
      const calls = fromJson(pack);
      expect(fromCbor(labelled(pack))).toEqual(calls);
      const base = { bn: "", bt: 0, bu: undefined as string | undefined, bv: 0 };
      const expected = pack.map(({ bn, bt, bu, bv, n, u, v, t }) => {
        Object.assign(base, JSON.parse(JSON.stringify({ bn, bt, bu, bv })));
        const seconds = base.bt + (t ?? 0);
        const atUs = seconds === 0 ? undefined : seconds * 1e6 + (seconds < 2 ** 28 ? NOW_US : 0);
        return [atUs, base.bn + n, v + base.bv, u ?? base.bu];
      });
      let atUs: number | undefined;
      const told = calls.flatMap((call) => {
        if (call[0] === "record") atUs = call[1];
        return call[0] === "value" ? [[atUs, call[1], call[2], call[3]]] : [];
      });
      expect(told).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});
