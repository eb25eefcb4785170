import { expect, test } from "vitest";
import type { Decoded } from "../../../edge/decode/decoder.ts";
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
      metrics: { a: { min: 0, max: 10 }, b: { rateMaxHz: 1 } },
      unknownMetrics: "accept",
    },
  ],
};

const stored = ({ readings }: Decoded): string[] =>
  Array.from(readings.offset, (offset, row) => `${offset}/${readings.index[row]} ${readings.value[row]}`);

const telemetry = (offset: number, values: object, device = "p1") =>
  messageOf(offset, `plant/${device}/telemetry`, { t: START_US, ...values });

test("a reading that is sent twice is stored once, and what is new beside it keeps its place", () => {
  const decoded = decoderOf(SETTINGS).decode([
    telemetry(0, { a: 1, b: 2 }),
    telemetry(1, { b: 2, a: 1 }),
    telemetry(2, { a: 1, c: 3, b: 2 }),
  ]);
  expect(stored(decoded)).toEqual(["0/0 1", "0/1 2", "2/1 3"]);
  expect(decoded.counters).toMatchObject({ readings: 3, duplicates: 4, quarantined: 0 });
  expect(decoded.quarantine).toEqual([]); // A message of duplicates alone is nothing bad.
});

test("another value of the same time is stored too, and counted", () => {
  const decoded = decoderOf(SETTINGS).decode([
    telemetry(0, { a: 1 }),
    telemetry(1, { a: 2 }),
    telemetry(2, { a: 1 }),
  ]);
  expect(stored(decoded)).toEqual(["0/0 1", "1/0 2"]);
  expect(decoded.counters).toMatchObject({ readings: 2, conflicts: 1, duplicates: 1 });
});

test("other devices and other metrics have readings of their own", () => {
  const decoded = decoderOf(SETTINGS).decode([
    telemetry(0, { a: 1, c: 1 }),
    telemetry(1, { a: 1, c: 1 }, "p2"),
  ]);
  expect(stored(decoded)).toHaveLength(4);
  expect(decoded.counters["duplicates"]).toBeUndefined();
});

test("what is stamped at arrival is never a duplicate, however alike", () => {
  const alike = [0, 1, 2].map((offset) => ({
    ...messageOf(offset, "plant/p1/values/a", "5"),
    receivedAtUs: START_US,
  }));
  const decoded = decoderOf(SETTINGS).decode(alike);
  expect(stored(decoded)).toEqual(["0/0 5", "1/0 5", "2/0 5"]);
});

test("what was refused is not remembered: when it comes again as it should, it is stored", () => {
  const deep = `${'{"a":'.repeat(20)}1${"}".repeat(20)}`;
  const decoded = decoderOf(SETTINGS).decode([
    messageOf(0, "plant/p1/telemetry", `{"t":${START_US},"c":1,"deep":${deep}}`), // Malformed half-way.
    telemetry(1, { c: 1 }),
    telemetry(2, { c: 1, a: 99 }), // Out of range.
    telemetry(3, { a: 9 }),
  ]);
  expect(stored(decoded)).toEqual(["1/0 1", "3/0 9"]);
  expect(decoded.counters).toMatchObject({ duplicates: 1, quarantined: 2 });
  expect(decoded.counters["conflicts"]).toBeUndefined();
});

test("a device that sends everything twice breaks no rate with it", () => {
  const decoded = decoderOf(SETTINGS).decode(
    Array.from({ length: 40 }, (_, i) =>
      telemetry(i, { t: START_US + Math.floor(i / 2) * 1_000_000, b: Math.floor(i / 2) }),
    ),
  );
  expect(decoded.counters).toMatchObject({ readings: 20, duplicates: 20 });
  expect(decoded.events).toEqual([]);
});

test("with a window of 0 everything is stored", () => {
  const decoded = decoderOf({ ...SETTINGS, duplicateWindowMessages: 0 }).decode([
    telemetry(0, { a: 1 }),
    telemetry(1, { a: 1 }),
  ]);
  expect(stored(decoded)).toHaveLength(2);
});

const changes = {
  "a contract": [SETTINGS, { ...SETTINGS, contracts: [] }],
  "a limit": [{ ...SETTINGS, pastMaxMs: 1_000 }, SETTINGS],
  "a route": [{ ...SETTINGS, routes: SETTINGS.routes.slice(1) }, SETTINGS],
} as const;

test.each(Object.entries(changes))(
  "after %s was mended, what was refused before is stored when it comes again, however often the gateway restarts",
  (_, [before, after]) => {
    const late = { t: START_US - 10_000_000, a: 5 };
    const refused = telemetry(0, before === SETTINGS ? { a: 99 } : late);
    const first = decoderOf(before);
    expect(stored(first.decode([refused]))).toEqual([]);
    let state = first.state();
    let decoder = first;
    for (let restart = 0; restart < 3; restart++) {
      decoder = decoderOf(after);
      decoder.restore(structuredClone(state), (from) => [[refused].slice(from)]);
      decoder.caughtUp();
      state = decoder.state();
    }
    const again = { ...refused, offset: 1 };
    expect(stored(decoder.decode([again, { ...again, offset: 2 }]))).toHaveLength(1);
  },
);

test("what is decoded again under other settings, to catch up after a crash, does not count as seen", () => {
  const [before, refused] = [decoderOf(SETTINGS), telemetry(0, { a: 99 })];
  const state = before.state(); // On disk before the message was decoded, and refused.
  const after = decoderOf({ ...SETTINGS, contracts: [] });
  after.restore(structuredClone(state), () => []);
  after.decode([refused]);
  expect(after.caughtUp()).toBe(true);
  expect(
    stored(
      after.decode([
        { ...refused, offset: 1 },
        { ...refused, offset: 2 },
      ]),
    ),
  ).toEqual(["1/0 99"]);
});
