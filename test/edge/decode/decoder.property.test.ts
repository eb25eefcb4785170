import type { RawMessage } from "@sluice/shared/contract/message.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decoderOf, messageOf, START_US } from "./messages.ts";

const SETTINGS = {
  routes: [
    {
      topic: "a/{device}/json",
      deviceType: "pump",
      payload: { format: "json", time: { path: "t", unit: "us" } },
    },
    { topic: "a/{device}/csv", deviceType: "pump", payload: { format: "csv", columns: ["x", "y"] } },
    { topic: "b/{device}/{metric}", deviceType: "fan", payload: { format: "number" } },
  ],
  contracts: [
    {
      deviceType: "pump",
      metrics: { x: { min: -10, max: 10, required: true } },
      unknownMetrics: "quarantine",
    },
  ],
};

const value = fc.oneof(
  fc.double(),
  fc.integer({ min: -20, max: 20 }),
  fc.constantFrom(null, true, "NaN", "7", [], {}, Number.MAX_VALUE, 5e-324),
);
const record = fc.record(
  {
    t: fc.oneof(fc.constant(START_US), fc.constantFrom(0, "x", START_US * 2)),
    x: value,
    y: value,
    "z.z": value,
  },
  { requiredKeys: [] },
);
const payload = fc.oneof(
  record,
  fc.array(record, { maxLength: 4 }),
  fc.string(),
  fc.array(fc.tuple(fc.double(), fc.integer()), { maxLength: 3 }).map((rows) => rows.join("\n")),
  fc.uint8Array({ maxLength: 30 }),
);
const topic = fc.constantFrom("a/p1/json", "a/p2/csv", "b/f1/speed", "b//speed", "c", "sluice/labels");
const sent = fc.array(fc.tuple(topic, payload), { maxLength: 20 });

const messagesOf = (drawn: readonly (readonly [string, unknown])[]): RawMessage[] =>
  drawn.map(([on, what], offset) => messageOf(offset, on, what));

test("every message leaves a trace: a reading, a label or a quarantine row; and readings are finite and in order", () => {
  fc.assert(
    fc.property(sent, (drawn) => {
      const messages = messagesOf(drawn);
      const { readings, quarantine, labels, counters } = decoderOf(SETTINGS).decode(messages);
      const seen = new Set([
        ...readings.offset,
        ...quarantine.map((row) => row.offset),
        ...labels.map((label) => label.offset),
      ]);
      expect([...seen].sort((a, b) => a - b)).toEqual(messages.map((message) => message.offset));
      expect(readings.value.every(Number.isFinite)).toBe(true);
      const places = Array.from(readings.offset, (offset, i) => offset * 1_000 + (readings.index[i] ?? 0));
      expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
      expect(counters).toMatchObject({
        messages: messages.length,
        readings: readings.count,
        quarantined: quarantine.length,
      });
    }),
    { numRuns: 500 },
  );
});

test("the answer follows from the messages alone: other calls before and other cuts change nothing", () => {
  fc.assert(
    fc.property(sent, sent, fc.nat(20), (drawn, earlier, at) => {
      const messages = messagesOf(drawn);
      // What came before may hold the same readings, and is not to make duplicates of these.
      const settings = { ...SETTINGS, duplicateWindowMessages: 0 };
      const whole = decoderOf(settings).decode(messages);
      const used = decoderOf(settings);
      used.decode(messagesOf(earlier));
      const parts = [used.decode(messages.slice(0, at)), used.decode(messages.slice(at))];
      expect(parts.flatMap((part) => part.quarantine)).toEqual(whole.quarantine);
      expect(parts.flatMap((part) => part.labels)).toEqual(whole.labels);
      for (const column of [
        "offset",
        "index",
        "measuredAtUs",
        "receivedAtUs",
        "value",
        "clock",
        "withheld",
      ] as const)
        expect(parts.flatMap((part) => [...part.readings[column]])).toEqual([...whole.readings[column]]);
      const seriesOf = ({ readings }: typeof whole): unknown[] =>
        Array.from(readings.seriesIndex, (place) => readings.series[place]);
      expect(parts.flatMap(seriesOf)).toEqual(seriesOf(whole));
    }),
    { numRuns: 200 },
  );
});

const [PUMP] = SETTINGS.contracts;
const WATCHED = {
  ...SETTINGS,
  contracts: [
    {
      ...PUMP,
      metrics: { ...PUMP?.metrics, y: { rateMaxHz: 1, staleAfterMs: 100 } },
      unknownMetrics: "accept",
      breaker: { windowReadings: 8, violationShareMax: 0.3 },
    },
  ],
};

test("with all that a contract can promise, too, cuts and restarts change nothing, whatever the payloads are", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(sent, { maxLength: 4 }), fc.nat(80), (drawn, at) => {
      const messages = messagesOf(drawn.flat()).map((message, i) => ({
        ...message,
        receivedAtUs: message.receivedAtUs + i * 30_000,
      }));
      const whole = decoderOf(WATCHED).decode(messages);
      const first = decoderOf(WATCHED);
      const before = first.decode(messages.slice(0, at));
      const second = decoderOf(WATCHED);
      second.restore(structuredClone(first.state()), (from) => [messages.slice(from, at)]);
      const parts = [before, second.decode(messages.slice(at))];
      expect(parts.flatMap(({ events }) => events)).toEqual(whole.events);
      expect(parts.flatMap(({ quarantine }) => quarantine)).toEqual(whole.quarantine);
      for (const column of ["offset", "index", "value", "withheld"] as const)
        expect(parts.flatMap(({ readings }) => [...readings[column]])).toEqual([...whole.readings[column]]);
      for (const name of Object.keys(whole.counters)) seen.add(name);
      expect(whole.counters["withheld"] ?? 0).toBe(
        whole.readings.withheld.filter((flag) => flag === 1).length,
      );
    }),
    { numRuns: 300 },
  );
  const expected = ["breakers.opened", "withheld.breaker", "withheld.rate", "stale", "fresh", "metrics.new"];
  expect(expected.filter((name) => !seen.has(name))).toEqual([]);
});
