import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { expect, test } from "vitest";
import { Decoder } from "../../../edge/decode/decoder.ts";
import { QUARANTINE_ROWS_PER_MESSAGE_MAX } from "../../../edge/decode/quarantine-log.ts";
import { decoderOf, messageOf, START_US } from "./messages.ts";

const SETTINGS = {
  routes: [
    {
      topic: "plant/{device}/telemetry",
      deviceType: "pump",
      payload: { format: "json", time: { path: "t", unit: "us" } },
    },
    { topic: "plant/{device}/values/{metric}", deviceType: "pump", payload: { format: "number" } },
  ],
  contracts: [
    {
      deviceType: "pump",
      metrics: { pressure: { unit: "bar", min: 0, max: 16, required: true }, flow: { unit: "L/min" } },
    },
  ],
};

/** Each reading as one line. */
function lines(block: ReadingBlock): string[] {
  return Array.from({ length: block.count }, (_, i) => {
    const series = block.series[block.seriesIndex[i] ?? -1];
    const place = `${block.offset[i]}/${block.index[i]}`;
    const clock = block.clock[i] === 0 ? "device" : "arrival";
    return `${place} ${series?.device} ${series?.metric} ${block.value[i]} ${series?.unit ?? ""} ${clock}`;
  });
}

const telemetry = (offset: number, payload: unknown): ReturnType<typeof messageOf> =>
  messageOf(offset, "plant/p1/telemetry", payload);

/** The only row that decoding one message leaves in quarantine. */
function refusal(payload: unknown, topic = "plant/p1/telemetry"): string {
  const { readings, quarantine } = decoderOf(SETTINGS).decode([messageOf(0, topic, payload)]);
  expect(readings.count).toBe(0);
  expect(quarantine).toHaveLength(1);
  return `${quarantine[0]?.index} ${quarantine[0]?.reason}: ${quarantine[0]?.detail}`;
}

test("the values of a message become readings with the contract's unit, the device's time and their place", () => {
  const { readings, quarantine, counters } = decoderOf(SETTINGS).decode([
    telemetry(4, { t: START_US - 7, pressure: 3.5, flow: 120, extra: 1 }),
    messageOf(5, "plant/p2/values/pressure", " 4.25 "),
  ]);
  expect(lines(readings)).toEqual([
    "4/0 p1 pressure 3.5 bar device",
    "4/1 p1 flow 120 L/min device",
    "4/2 p1 extra 1  device",
    "5/0 p2 pressure 4.25 bar arrival",
  ]);
  expect([...readings.measuredAtUs]).toEqual([START_US - 7, START_US - 7, START_US - 7, START_US + 5_000]);
  expect([...readings.receivedAtUs]).toEqual([4_000, 4_000, 4_000, 5_000].map((us) => START_US + us));
  expect(quarantine).toEqual([]);
  expect(counters).toEqual({
    messages: 2,
    readings: 4,
    labels: 0,
    ignored: 0,
    quarantined: 0,
    "metrics.new": 1,
  });
});

test("one bad value does not spoil the good ones beside it, and keeps its place", () => {
  const { readings, quarantine, counters } = decoderOf(SETTINGS).decode([
    telemetry(0, { t: START_US, pressure: 99, flow: 1, a: null, b: "NaN", c: "7", d: true, e: [1], f: 2 }),
  ]);
  expect(lines(readings)).toEqual(["0/1 p1 flow 1 L/min device", "0/7 p1 f 2  device"]);
  expect(quarantine.map(({ index, reason, detail }) => `${index} ${reason}: ${detail}`)).toEqual([
    '0 value.out_of_range: The metric "pressure" is 99; the contract of pump allows values up to 16.',
    '2 value.wrong_type: The metric "a" is null, not a number.',
    '3 value.not_finite: The metric "b" is "NaN", not a finite number.',
    '4 value.wrong_type: The metric "c" is the string "7", not a number.',
    '5 value.wrong_type: The metric "d" is the boolean true, not a number.',
    '6 value.wrong_type: The metric "e" is the array [1], not a number.',
  ]);
  expect(counters).toMatchObject({ readings: 2, quarantined: 6, "quarantine.value.wrong_type": 4 });
});

test.each([
  ["plant/p1/other", { t: 1 }, '0 route.none: No route takes the topic "plant/p1/other".'],
  ["sluice/g1/nudge", "x", '0 route.none: No route takes the topic "sluice/g1/nudge".'],
  ["plant/p1/telemetry", "", "0 payload.empty: The payload is empty."],
  [
    "plant/p1/telemetry",
    "x".repeat(65_537),
    "0 payload.too_large: The payload has 65537 bytes; at most 65536 are decoded.",
  ],
  [
    "plant/p1/telemetry",
    '{"t":',
    '0 payload.malformed: The payload is not JSON at character 5, near "{\\"t\\":".',
  ],
  [
    "plant//telemetry",
    { t: 1 },
    '0 device.invalid: The device "" is not 1 to 128 characters without "/", "+", "#" or control characters.',
  ],
  ["plant/p1/values/x", "hot", '0 payload.malformed: The payload "hot" is not a decimal number.'],
  [
    "plant/p1/values/pressure",
    "1e999",
    '0 value.not_finite: The metric "pressure" is Infinity, not a finite number.',
  ],
  [
    "plant/p1/values/pressure",
    "-inf",
    '0 value.not_finite: The metric "pressure" is "-inf", not a finite number.',
  ],
  [
    "plant/p1/values/pressure",
    "-0.5",
    '0 value.out_of_range: The metric "pressure" is -0.5; the contract of pump allows values from 0 up.',
  ],
  [
    "plant/p1/values/",
    "1",
    '0 metric.unknown: The metric name "" is not 1 to 128 characters without control characters.',
  ],
  [
    "plant/p1/telemetry",
    `{"t":${START_US},"pressure":1e999}`,
    '0 value.not_finite: The metric "pressure" is Infinity, not a finite number.',
  ],
] as const)("a message on %s with %j is refused: %s", (topic, payload, expected) => {
  expect(refusal(payload, topic)).toBe(expected);
});

test("a record from the future or from too long ago is refused once, and its values keep their places", () => {
  const settings = { ...SETTINGS, contracts: [], pastMaxMs: 60_000 };
  const { readings, quarantine } = decoderOf(settings).decode([
    telemetry(0, [
      { t: START_US + 300_000_000, a: 1 },
      { t: START_US + 300_000_001, a: 2, b: 3 },
      { t: START_US - 60_000_000, a: 4 },
      { t: START_US - 60_000_001, a: 5 },
      { t: "later", a: 6 },
      { a: 7 },
      { t: START_US, a: 8 },
    ]),
  ]);
  expect(lines(readings).map((line) => line.slice(0, 10))).toEqual([
    "0/0 p1 a 1",
    "0/3 p1 a 4",
    "0/7 p1 a 8",
  ]);
  expect(quarantine.map(({ index, reason, detail }) => `${index} ${reason}: ${detail}`)).toEqual([
    "1 time.future: The event time 2024-01-01T00:05:00.000Z is 300001 ms after the arrival; at most 300000 ms are allowed.",
    "4 time.too_old: The event time 2023-12-31T23:58:59.999Z is 60001 ms before the arrival; at most 60000 ms are allowed.",
    '5 time.invalid: The time field "t" is "later", not a time in us.',
    '6 time.invalid: The time field "t" is missing, not a time in us.',
  ]);
});

test("a required metric that is not carried is said once for the message; a bad value of it counts as carried", () => {
  const { quarantine, readings } = decoderOf(SETTINGS).decode([
    telemetry(0, { t: START_US, flow: 1 }),
    telemetry(1, { t: START_US, pressure: "high" }),
    telemetry(2, [
      { t: START_US, flow: 2 },
      { t: START_US, pressure: 2 },
    ]),
  ]);
  expect(lines(readings)).toHaveLength(3);
  expect(
    quarantine.map(({ offset, index, reason, detail }) => `${offset}/${index} ${reason}: ${detail}`),
  ).toEqual([
    '0/1 metric.missing: The message does not carry "pressure", which the contract requires.',
    '1/0 value.wrong_type: The metric "pressure" is the string "high", not a number.',
  ]);
});

test("what is required is looked for in each device that a message names, once for each", () => {
  const route = { topic: "line/batch", deviceType: "pump" };
  const { contracts } = SETTINGS;
  const json = { format: "json", device: "id", time: { path: "t", unit: "us" } };
  const records = [
    { id: "p1", t: START_US, flow: 1 },
    { id: "p2", t: START_US, flow: 2 },
    { id: "p1", t: START_US + 1, pressure: 1 },
    { id: "p3", t: START_US + 1e12, pressure: 1 },
    { id: "p4", t: START_US },
  ];
  const decoder = decoderOf({ routes: [{ ...route, payload: json }], contracts });
  const { readings, quarantine } = decoder.decode([messageOf(0, "line/batch", records)]);
  expect(lines(readings).map((line) => line.split(" ", 3).join(" "))).toEqual([
    "0/0 p1 flow",
    "0/1 p2 flow",
    "0/2 p1 pressure",
  ]);
  expect(quarantine.map(({ index, reason, detail }) => `${index} ${reason}: ${detail.slice(0, 54)}`)).toEqual(
    [
      "3 time.future: The event time 2024-01-12T13:46:40.000Z is 1000000000 ",
      '4 metric.missing: The message does not carry "pressure" of "p2", which t',
      '5 metric.missing: The message does not carry "pressure" of "p4", which t',
    ],
  );
  const senml = { format: "senml-json", name: "{device}/{metric}" };
  const pack = [
    { n: "p1/flow", v: 1 },
    { n: "p2/pressure", v: 1 },
    { n: "p1/pressure", v: 1 },
    { n: "p2/flow", v: 1 },
  ];
  const packs = decoderOf({ routes: [{ ...route, payload: senml }], contracts });
  expect(packs.decode([messageOf(0, "line/batch", pack)]).quarantine).toEqual([]);
  expect(packs.decode([messageOf(1, "line/batch", pack.slice(0, 2))]).quarantine).toHaveLength(1);
});

test("a message that carries nothing at all is not passed over in silence", () => {
  const settings = { ...SETTINGS, contracts: [] };
  for (const payload of [{ t: START_US }, [], { t: START_US, nested: {} }]) {
    const { quarantine } = decoderOf(settings).decode([telemetry(0, payload)]);
    expect(quarantine.map((row) => row.detail)).toEqual([
      "The message carries no value of any metric that its route reads.",
    ]);
  }
});

test("a metric that is not in the contract is stored, or set aside where the contract says so", () => {
  const strict = { ...SETTINGS, contracts: [{ ...SETTINGS.contracts[0], unknownMetrics: "quarantine" }] };
  const message = telemetry(0, { t: START_US, pressure: 1, constructor: 5 });
  expect(lines(decoderOf(SETTINGS).decode([message]).readings)).toHaveLength(2);
  const { readings, quarantine } = decoderOf(strict).decode([message]);
  expect(lines(readings)).toEqual(["0/0 p1 pressure 1 bar device"]);
  expect(quarantine[0]?.detail).toBe('The metric "constructor" is not in the contract of pump.');
});

test("messages on ignored topics are counted and leave no row, but a label is always read", () => {
  const decoder = decoderOf({ ...SETTINGS, ignoredTopics: ["plant/control", "sluice/#", "plant/p9/+"] });
  const { readings, quarantine, counters } = decoder.decode([
    messageOf(0, "plant/control", "start"),
    messageOf(1, "sluice/g1/nudge", ""),
    messageOf(2, "plant/p9/telemetry", { t: START_US, pressure: 1 }),
    messageOf(3, "sluice/labels", "{"),
    messageOf(4, "plant/other", ""),
  ]);
  expect(readings.count).toBe(0);
  expect(quarantine.map((row) => row.reason)).toEqual(["label.invalid", "route.none"]);
  expect(counters).toMatchObject({ messages: 5, ignored: 3, quarantined: 2 });
});

test("a payload that turns out malformed half-way gives one row and no reading", () => {
  const deep = `${'{"a":'.repeat(20)}1${"}".repeat(20)}`;
  const { readings, quarantine } = decoderOf({ ...SETTINGS, contracts: [] }).decode([
    telemetry(0, `{"t":${START_US},"good":1,"bad":null,"deep":${deep}}`),
    telemetry(1, { t: START_US, good: 2 }),
  ]);
  expect(lines(readings)).toEqual(["1/0 p1 good 2  device"]);
  expect(quarantine.map((row) => row.reason)).toEqual(["payload.malformed"]);
});

test("a payload that nests without end is refused like any other that is no record", () => {
  const deep = "[".repeat(30_000) + "]".repeat(30_000);
  const payloads = [deep, `{"t":${START_US},"pressure":${deep}}`, `{"t":${deep},"pressure":1}`];
  const { readings, quarantine } = decoderOf(SETTINGS).decode(
    payloads.map((payload, i) => telemetry(i, payload)),
  );
  expect(readings.count).toBe(0);
  expect(quarantine.map(({ offset, reason }) => `${offset} ${reason}`)).toEqual([
    "0 payload.malformed",
    "0 metric.missing",
    "1 value.wrong_type",
    "2 time.invalid",
  ]);
});

test("a message of many bad values has a few rows, the last of which says how many more; all are counted", () => {
  const payload = {
    t: START_US,
    pressure: 1,
    ...Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`m${i}`, null])),
  };
  const { quarantine, counters } = decoderOf(SETTINGS).decode([telemetry(0, payload)]);
  expect(quarantine).toHaveLength(QUARANTINE_ROWS_PER_MESSAGE_MAX);
  expect(quarantine.at(-1)?.detail).toBe(
    'The metric "m31" is null, not a number. 68 more of this message were refused.',
  );
  expect(counters).toMatchObject({ quarantined: 100, "quarantine.value.wrong_type": 100 });
});

test("no two rows of a message have the same index, also where records without a value are refused", () => {
  const payload = { format: "csv", columns: ["a", "b"] };
  const decoder = decoderOf({ routes: [{ topic: "csv/{device}", deviceType: "meter", payload }] });
  const lines = "1\n2\n3,x\n4,y\n5\n6,7\n8";
  const { quarantine, readings } = decoder.decode([
    messageOf(0, "csv/m1", lines),
    messageOf(1, "csv/m1", "1"),
  ]);
  expect(quarantine.map(({ offset, index, reason }) => `${offset}/${index} ${reason}`)).toEqual([
    "0/0 payload.malformed",
    "0/1 payload.malformed",
    "0/2 value.wrong_type",
    "0/3 value.wrong_type",
    "0/4 payload.malformed",
    "0/6 payload.malformed",
    "1/0 payload.malformed",
  ]);
  expect([...readings.index]).toEqual([0, 2, 4, 5]);
});

test("a row keeps the first 4096 bytes of the payload, as a copy, and its whole length", () => {
  const bytes = new Uint8Array(10_000).fill(120);
  const { quarantine } = decoderOf(SETTINGS).decode([telemetry(0, bytes)]);
  bytes.fill(0);
  expect(quarantine[0]).toMatchObject({ client: "client-1", receivedAtUs: START_US, payloadBytes: 10_000 });
  expect(quarantine[0]?.payload).toEqual(new Uint8Array(4_096).fill(120));
});

test("two routes to one device and metric make one series in a block", () => {
  const { readings } = decoderOf(SETTINGS).decode([
    telemetry(0, { t: START_US, pressure: 1 }),
    messageOf(1, "plant/p1/values/pressure", "2"),
  ]);
  expect(readings.series).toHaveLength(1);
  expect([...readings.seriesIndex]).toEqual([0, 0]);
});

test("a block holds only its own series and survives the next ones", () => {
  const decoder = decoderOf(SETTINGS);
  const first = decoder.decode([telemetry(0, { t: START_US, pressure: 1, flow: 2 })]).readings;
  const before = structuredClone(first);
  const second = decoder.decode([telemetry(1, { t: START_US, flow: 3, pressure: 4 })]).readings;
  expect(second.series.map((series) => series.metric)).toEqual(["flow", "pressure"]);
  expect(first).toEqual(before);
  expect(decoder.decode([]).readings).toMatchObject({ count: 0, series: [] });
});

test("a device that invents names without end does not make the decoder forget what it required", () => {
  const names = (from: number): object =>
    Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`n${from + i}`, i]));
  const { readings, quarantine } = decoderOf(SETTINGS).decode([
    telemetry(0, { t: START_US, pressure: 1, ...names(0) }),
    telemetry(1, { t: START_US + 1, pressure: 1, ...names(3_000) }),
    telemetry(2, { t: START_US + 2, pressure: 1, ...names(6_000) }),
  ]);
  expect(readings.count).toBe(9_003);
  expect(quarantine).toEqual([]);
});

test("devices that invent names cannot fill the memory, and one in between keeps what it required", () => {
  const metrics = (n: number): object =>
    Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [`n${n}-${i}`, i]));
  const decoder = decoderOf({
    routes: [{ topic: "all", deviceType: "pump", payload: { format: "json", device: "d" } }],
    contracts: [{ deviceType: "pump", metrics: { pressure: { required: true } } }],
  });
  for (let n = 0; n < 40; n++) {
    const records = [{ d: "p1", pressure: n }, { d: `x${n}`, pressure: 1, ...metrics(n) }, { d: "p1" }];
    const { readings, quarantine } = decoder.decode([messageOf(n, "all", records)]);
    expect(readings.count).toBe(4_002);
    expect(quarantine).toEqual([]);
  }
});

test("routes that contradict each other are refused at construction, with the path", () => {
  const payload = { format: "number", compression: "none", unpackedBytesMax: 1 } as const;
  const route = { topic: "a/{device}/{site}", deviceType: "pump", payload };
  const limits = {
    payloadBytesMax: 1,
    futureSkewMs: 1,
    pastMaxMs: 1,
    duplicateWindowMessages: 1,
    clockStepMinMs: 1_000,
  };
  expect(() => new Decoder({ routes: [route], contracts: [], limits })).toThrow(
    /decode\.routes\.0\.topic: "\{site\}" is not known/,
  );
});

test("that nobody sends, as the gateway's log has it, is a reading, whatever routes and ignored topics say", () => {
  const decoder = decoderOf({ ...SETTINGS, ignoredTopics: ["sluice/#"] });
  const { readings, quarantine } = decoder.decode([messageOf(3, "sluice/site-1/silence", "")]);
  expect(lines(readings)).toEqual(["3/0 site-1 silence 1  arrival"]);
  expect(readings.series[0]?.deviceType).toBe("sluice");
  expect(quarantine).toEqual([]);
});
