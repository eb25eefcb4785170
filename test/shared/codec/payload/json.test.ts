import { payloadSettingsSchema } from "@sluice/shared/codec/payload/settings.ts";
import { expect, test } from "vitest";
import { decodePayload } from "./calls.ts";

test("named fields are found by dotted path, also in arrays and under keys with a dot", () => {
  const settings = {
    format: "json",
    metrics: { flow: "pump.flow", second: "list.1", dotted: "a\\.b.c", absent: "pump.head" },
  };
  expect(decodePayload(settings, '{"pump":{"flow":3},"list":[7,8],"a.b":{"c":9},"other":1}')).toEqual([
    ["record", undefined],
    ["value", "flow", 3],
    ["value", "second", 8],
    ["value", "dotted", 9],
  ]);
});

test("without a mapping every field is a metric by its dotted path, but for the time and what is ignored", () => {
  const settings = { format: "json", time: { path: "meta.ts", unit: "ms" }, ignore: ["id", "meta.site"] };
  const payload = '{"id":"x","meta":{"ts":1,"site":"north","load":2},"rpm":1480,"text":"on","list":[1]}';
  expect(decodePayload(settings, payload)).toEqual([
    ["record", 1_000],
    ["value", "meta.load", 2],
    ["value", "rpm", 1480],
    ["value", "text", "on"],
    ["value", "list", [1]],
  ]);
});

test("an array is several records, each with its own time", () => {
  const settings = { format: "json", time: { path: "t", unit: "s" }, metrics: { v: "v" } };
  expect(decodePayload(settings, '[{"t":1,"v":10},{"t":2.5,"v":20}]')).toEqual([
    ["record", 1_000_000],
    ["value", "v", 10],
    ["record", 2_500_000],
    ["value", "v", 20],
  ]);
});

test("records nest in arrays in arrays, and can share the time of the message", () => {
  const settings = {
    format: "json",
    records: "lines.points",
    time: { path: "ts", unit: "us", of: "message" },
    metrics: { v: "v" },
  };
  const payload = '{"ts":5,"lines":[{"points":[{"v":1},{"v":2}]},{"points":[{"v":3}]},{"empty":true}]}';
  expect(decodePayload(settings, payload)).toEqual([
    ["record", 5],
    ["value", "v", 1],
    ["record", 5],
    ["value", "v", 2],
    ["record", 5],
    ["value", "v", 3],
  ]);
});

test("a topic names the metric of a value", () => {
  expect(decodePayload({ format: "json", value: "val" }, '{"val":null}', "temp")).toEqual([
    ["record", undefined],
    ["value", "temp", null],
  ]);
});

test("a record that is no object and a time that is none are refused by themselves; the next record is read", () => {
  const settings = { format: "json", time: { path: "t", unit: "ms" }, metrics: { v: "v" } };
  expect(decodePayload(settings, '[7,{"v":1},{"t":"soon","v":2},{"t":3,"v":3}]')).toEqual([
    ["refuse", "payload.malformed", "Record 0 is 7, not an object."],
    ["refuse", "time.invalid", 'The time field "t" is missing, not a time in ms.'],
    ["value", "v", 1],
    ["refuse", "time.invalid", 'The time field "t" is "soon", not a time in ms.'],
    ["value", "v", 2],
    ["record", 3_000],
    ["value", "v", 3],
  ]);
});

test.each([
  ["", /not JSON at character 0, near ""/],
  ['{"a":1', /not JSON at character 6, near "\{\\"a\\":1"/],
  ['{"a":NaN}', /not JSON at character 5/],
  ["[1,2", /not JSON at character 4/],
  ["7", /The payload is 7, not an object or an array of objects/],
  ["null", /The payload is null/],
])("%j is malformed, with the position", (payload, message) => {
  expect(() => decodePayload({ format: "json" }, payload)).toThrow(message);
});

test("a payload without the records that its route names is malformed, one with none of them is empty", () => {
  const settings = { format: "json", records: "data.points" };
  expect(() => decodePayload(settings, '{"data":{}}')).toThrow('no records at "data.points"');
  expect(decodePayload(settings, '{"data":{"points":[]}}')).toEqual([]);
});

test("bytes that are not UTF-8 are malformed, with the place of the first", () => {
  const bytes = new TextEncoder().encode('{"grün":1,"x":2}');
  bytes[13] = 0xff;
  expect(() => decodePayload({ format: "json" }, bytes)).toThrow("The payload is not UTF-8 at byte 13.");
});

test("a byte order mark at the front is passed over", () => {
  expect(decodePayload({ format: "json" }, '\ufeff{"a":1}')).toContainEqual(["value", "a", 1]);
});

test("__proto__ and constructor are names like any other and change no object", () => {
  const payload = '{"__proto__":{"polluted":1},"constructor":2,"a":3}';
  expect(decodePayload({ format: "json" }, payload).slice(1)).toEqual([
    ["value", "__proto__.polluted", 1],
    ["value", "constructor", 2],
    ["value", "a", 3],
  ]);
  expect(Reflect.get({}, "polluted")).toBeUndefined();
  const settings = { format: "json", metrics: { a: "constructor.name", b: "toString" } };
  expect(decodePayload(settings, '{"a":1}')).toEqual([["record", undefined]]);
});

test("of a name that is there twice the last one counts", () => {
  expect(decodePayload({ format: "json" }, '{"a":1,"a":2}').slice(1)).toEqual([["value", "a", 2]]);
});

test("objects that nest without end are malformed and overflow nothing", () => {
  const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
  expect(decodePayload({ format: "json" }, deep(16))).toHaveLength(2);
  expect(() => decodePayload({ format: "json" }, deep(17))).toThrow("nests deeper than 16 levels");
  expect(() => decodePayload({ format: "json" }, deep(10_000))).toThrow("nests deeper than 16 levels");
  expect(decodePayload({ format: "json" }, `{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}`)).toHaveLength(
    2,
  );
});

test("the payload can name the device of each record, in the record or for the whole message", () => {
  const settings = {
    format: "json",
    records: "points",
    device: "meta.id",
    time: { path: "t", unit: "us" },
  };
  const payload =
    '{"meta":{"id":"line-1"},"points":[{"t":1,"meta":{"id":"p1"},"v":1},{"t":2,"meta":{"id":7},"v":2},{"t":3,"v":3}]}';
  expect(decodePayload(settings, payload)).toEqual([
    ["record", 1, "p1"],
    ["value", "v", 1],
    ["record", 2, "7"],
    ["value", "v", 2],
    ["record", 3, "line-1"],
    ["value", "v", 3],
  ]);
});

test("a record without a device, or with one that is no name, is refused by itself", () => {
  const payload = '[{"v":1},{"id":{},"v":2},{"id":1.5,"v":3},{"id":"p1","v":4}]';
  expect(decodePayload({ format: "json", device: "id" }, payload)).toEqual([
    ["refuse", "device.invalid", 'The device field "id" is missing, not a name or a whole number.'],
    ["value", "v", 1],
    ["refuse", "device.invalid", 'The device field "id" is {}, not a name or a whole number.'],
    ["value", "v", 2],
    ["refuse", "device.invalid", 'The device field "id" is 1.5, not a name or a whole number.'],
    ["value", "v", 3],
    ["record", undefined, "p1"],
    ["value", "v", 4],
  ]);
});

test("units come with the values, each from its path or one for the record, and are no metrics", () => {
  const settings = { format: "json", unit: "uom", units: { "tank.level": "tank.uom" } };
  const payload =
    '[{"uom":"bar","p":1,"tank":{"level":2,"uom":"cm"}},{"p":1,"tank":{"level":2}},{"uom":7,"p":1}]';
  expect(decodePayload(settings, payload)).toEqual([
    ["record", undefined],
    ["value", "p", 1, "bar"],
    ["value", "tank.level", 2, "cm"],
    ["record", undefined],
    ["value", "p", 1],
    ["value", "tank.level", 2],
    ["record", undefined],
    ["value", "p", 1, "7"],
  ]);
  const named = { format: "json", metrics: { flow: "f.v" }, units: { flow: "f.u" } };
  expect(decodePayload(named, '{"f":{"v":3,"u":"L/min"}}')[1]).toEqual(["value", "flow", 3, "L/min"]);
  expect(decodePayload({ format: "json", value: "v", unit: "u" }, '{"v":3,"u":"A"}', "m")[1]).toEqual([
    "value",
    "m",
    3,
    "A",
  ]);
});

test.each([
  { settings: { value: "v", units: { v: "u" } }, mistake: "the topic names the metric" },
  { settings: { metrics: { v: "v" }, units: { w: "u" } }, mistake: "has w, which metrics does not list" },
])("units that can never be used are a mistake in the settings: $mistake", ({ settings, mistake }) => {
  expect(payloadSettingsSchema.safeParse({ format: "json", ...settings }).error?.message).toContain(mistake);
});
