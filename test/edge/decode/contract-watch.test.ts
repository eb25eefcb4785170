import type { RawMessage } from "@sluice/shared/contract/message.ts";
import { encodeSpooled } from "@sluice/shared/contract/spool.ts";
import { spoolTopic } from "@sluice/shared/contract/spool-topic.ts";
import { expect, test } from "vitest";
import { WATCHED_MAX } from "../../../edge/decode/contract-watch.ts";
import type { Decoder } from "../../../edge/decode/decoder.ts";
import { NEW_METRICS_MAX } from "../../../edge/decode/new-metrics.ts";
import { decoderOf, messageOf, START_US } from "./messages.ts";

const ROUTE = { topic: "{device}", deviceType: "pump", payload: { format: "json" } };

const decoderWith = (contract: object): Decoder =>
  decoderOf({ routes: [ROUTE], contracts: [{ deviceType: "pump", metrics: {}, ...contract }] });

let nextOffset = 0;

/** A message that came so many seconds after the start. */
const at = (
  seconds: number,
  device: string,
  values: unknown,
  rest: Partial<RawMessage> = {},
): RawMessage => ({
  ...messageOf(nextOffset++, device, values),
  receivedAtUs: START_US + seconds * 1_000_000,
  ...rest,
});

const restarted = (decoder: Decoder, contract: object): Decoder => {
  const next = decoderWith(contract);
  next.restore(structuredClone(decoder.state()), () => []);
  return next;
};

test("a record that is refused as a whole counts as many violations as it has values, a malformed message one", () => {
  const violations = (payload: unknown): number => {
    const decoder = decoderOf({
      routes: [{ ...ROUTE, payload: { format: "json", time: { path: "t", unit: "us" } } }],
      contracts: [
        {
          deviceType: "pump",
          metrics: { x: { required: true } },
          // Open from the first violation on, so that the status tells the share.
          breaker: { windowReadings: 10, violationShareMax: 0 },
        },
      ],
    });
    decoder.decode([at(0, "p1", payload)]);
    return (decoder.contractStatus(1).open[0]?.violationShare ?? 0) * 10;
  };
  const tomorrow = START_US + 86_400_000_000;
  expect(violations({ t: START_US, x: 1, y: 2 })).toBe(0);
  expect(violations({ t: START_US, x: 1, y: null, z: "no" })).toBe(2);
  expect(violations({ t: tomorrow, x: 1, y: 2, z: 3 })).toBe(3);
  expect(
    violations([
      { t: tomorrow, x: 1, y: 2 },
      { t: START_US, x: 1 },
    ]),
  ).toBe(2);
  expect(violations({ t: START_US, y: 1 })).toBe(1); // What is required is missing.
  expect(violations('{"t":1,"x":1')).toBe(1);
  expect(violations("")).toBe(1);
});

test("a breaker stands for its device: no other device, and all of its metrics", () => {
  const decoder = decoderWith({
    metrics: { x: { max: 1 } },
    breaker: { windowReadings: 4, violationShareMax: 0.25 },
  });
  const { readings } = decoder.decode([
    at(0, "p1", { x: 9, y: 1, z: 1 }),
    at(0, "p1", { x: 9, y: 1, z: 1 }),
    at(0, "p2", { x: 1, y: 1, z: 1 }),
  ]);
  expect([...readings.withheld]).toEqual([0, 0, 1, 1, 0, 0, 0]);
});

test("what is excessive is told at once and then once a minute, with what came together", () => {
  const decoder = decoderWith({ metrics: { x: { rateMaxHz: 0.001 } } });
  const messages = Array.from({ length: 150 }, (_, i) => at(i, "p1", { x: i }));
  const { events, counters } = decoder.decode(messages);
  expect(events.map(({ kind, count, atUs }) => [kind, count, (atUs - START_US) / 1e6])).toEqual([
    ["rate.exceeded", 1, 1],
    ["rate.exceeded", 60, 61],
    ["rate.exceeded", 60, 121],
  ]);
  expect(counters).toMatchObject({
    readings: 150,
    withheld: 149,
    "withheld.rate": 149,
    "rate.exceeded": 149,
  });
});

test("a backlog that a device sends after an outage is not too fast", () => {
  const decoder = decoderOf({
    routes: [{ ...ROUTE, payload: { format: "json", time: { path: "t", unit: "us" } } }],
    contracts: [{ deviceType: "pump", metrics: { x: { rateMaxHz: 1 } } }],
  });
  const backlog = Array.from({ length: 500 }, (_, i) => ({ t: START_US - (500 - i) * 1_000_000, x: i }));
  expect([...decoder.decode([at(0, "p1", backlog)]).readings.withheld]).toEqual(backlog.map(() => 0));
});

test("nobody is silent while the gateway itself does not listen, nor by a step of its clock", () => {
  const contract = { metrics: { x: { staleAfterMs: 10_000 } } };
  const stamp = (bootId: string, seconds: number, wallS = seconds): Partial<RawMessage> => ({
    stamp: { bootId, monotonicUs: seconds * 1_000_000, wallUs: START_US + wallS * 1_000_000 },
  });
  let decoder = decoderWith(contract);
  expect(decoder.decode([at(0, "p1", { x: 1 }, stamp("a", 0))]).events).toEqual([]);
  decoder = restarted(decoder, contract);
  // An hour without power; then another device is heard, p1 only after that.
  const early = [
    at(3_600, "p2", { x: 1 }, stamp("b", 0, 3_600)),
    at(3_609, "p2", { x: 1 }, stamp("b", 9, 3_609)),
  ];
  expect(decoder.decode(early).events).toEqual([]);
  const late = decoder.decode([at(3_611, "p2", { x: 1 }, stamp("b", 11, 3_611))]);
  expect(late.events.map(({ kind, device }) => `${kind} ${device}`)).toEqual(["device.stale p1"]);
  // The clock is set back by half an hour: p2 was heard a second before.
  const stepped = decoder.decode([
    at(1_812, "p3", { y: 1 }, stamp("b", 12, 1_812)),
    at(1_820, "p3", { y: 1 }, stamp("b", 20, 1_820)),
    at(1_822, "p3", { y: 1 }, stamp("b", 22, 1_822)),
  ]);
  expect(stepped.events.map(({ kind, device = "" }) => `${kind} ${device}`)).toEqual([
    "clock.stepped ",
    "schema.new_metric p3",
    "device.stale p2",
  ]);
});

test("history from the spool keeps to each value's rule, but judges nobody", () => {
  const contract = {
    metrics: { x: { max: 1, rateMaxHz: 0.001, staleAfterMs: 1_000 } },
    breaker: { windowReadings: 2, violationShareMax: 0 },
  };
  const decoder = decoderWith(contract);
  const rows = [9, 1, 1, 1].map((x, i) => ["p1", START_US - 1_000_000 * (9 - i), { x, y: 2 }]);
  const header = { kind: "rows", deviceType: "pump", source: "old.csv", firstRow: 1, isLast: true } as const;
  const topic = spoolTopic({ job: "job-1", number: 0 });
  const { readings, events, quarantine } = decoder.decode([
    at(0, topic, encodeSpooled(header, new TextEncoder().encode(JSON.stringify(rows)))),
    at(60, "p2", { x: 1 }),
  ]);
  expect(quarantine.map(({ reason }) => reason)).toEqual(["value.out_of_range"]);
  expect([...readings.withheld]).toEqual(Array.from(readings.withheld, () => 0));
  expect([readings.count, events.map(({ kind }) => kind)]).toEqual([8, ["import.done", "schema.new_metric"]]);
});

test("each unlisted metric is told once for its device type, across a restart too, and so many at most", () => {
  let decoder = decoderWith({});
  const told = (values: unknown): unknown[] => {
    const { events, counters } = decoder.decode([at(0, "p1", values), at(0, "p2", values)]);
    return [
      events.map(({ metric }) => metric),
      counters["metrics.new"],
      counters["metrics.new_untold_readings"],
    ];
  };
  expect(told({ x: 1, y: "no number" })).toEqual([["x"], 1, undefined]);
  decoder = restarted(decoder, {});
  expect(told({ x: 1, y: 2 })).toEqual([["y"], 1, undefined]);
  for (let i = 0; i < NEW_METRICS_MAX - 2; i += 1_000)
    told(
      Object.fromEntries(
        Array.from({ length: 1_000 }, (_, j) => [`m${Math.min(i + j, NEW_METRICS_MAX - 3)}`, 1]),
      ),
    );
  expect(told({ more: 1, x: 1 })).toEqual([[], undefined, 2]);
});

test("what a malformed message held before its mistake is neither heard nor told", () => {
  const decoder = decoderOf({
    routes: [{ ...ROUTE, payload: { format: "csv", columns: ["new"] } }],
    contracts: [{ deviceType: "pump", metrics: {} }],
  });
  const { readings, events } = decoder.decode([at(0, "p1", new Uint8Array([49, 10, 0xff]))]);
  expect([readings.count, events]).toEqual([0, []]);
});

test("devices beyond the limit push out the one that was first, whose open breaker is told to have ended", () => {
  const metrics = Object.fromEntries(
    Array.from({ length: 4_095 }, (_, i) => [`m${i}`, { staleAfterMs: 1_000 }]),
  );
  const decoder = decoderWith({ metrics, breaker: { windowReadings: 1, violationShareMax: 0 } });
  const devicesMax = WATCHED_MAX / 4_096;
  decoder.decode([at(0, "first", { m0: "bad" })]);
  for (let i = 1; i < devicesMax; i++) decoder.decode([at(0, `p${i}`, { m0: 1 })]);
  expect(decoder.contractStatus(9).open.map(({ device }) => device)).toEqual(["first"]);
  const { events, counters } = decoder.decode([at(0, "one-more", { m0: 1 })]);
  expect(events.map(({ kind, device, detail }) => `${kind} ${device}: ${detail}`)).toEqual([
    'breaker.closed first: The pump "first" is forgotten, because too many devices are watched. Since 2024-01-01T00:00:00.000Z 0 readings were withheld.',
  ]);
  expect(counters).toMatchObject({ "watch.forgotten": 1, "breakers.closed": 1 });
  expect(decoder.contractStatus(9).openCount).toBe(0);
});

test("what the settings no longer promise is forgotten with a restart", () => {
  const breaker = { windowReadings: 1, violationShareMax: 0 };
  const decoder = decoderWith({ metrics: { x: { max: 1, staleAfterMs: 1_000 } }, breaker });
  decoder.decode([at(0, "p1", { x: 9 })]);
  expect(decoder.contractStatus(1).openCount).toBe(1);
  const without = restarted(decoder, { metrics: { x: { max: 1 } } });
  const { events, readings } = without.decode([at(60, "p1", { x: 1 })]);
  expect([events, [...readings.withheld]]).toEqual([[], [0]]);
});
