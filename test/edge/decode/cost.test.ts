import { expect, test } from "vitest";
import { decoderOf, messageOf } from "./messages.ts";

// What a small message of whoever may publish costs: each took seconds where the cost grew with records times size.

const route = { topic: "all", deviceType: "pump" };

test("what all records of a message share is explained once, however large it is and however many they are", () => {
  const decoder = decoderOf({
    routes: [{ ...route, payload: { format: "json", device: "d", records: "r" } }],
  });
  const shared = Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [`k${i}`, 1]));
  const message = messageOf(0, "all", { d: shared, r: Array.from({ length: 8_000 }, () => ({})) });
  const startedMs = performance.now();
  expect(decoder.decode([message]).counters["quarantine.device.invalid"]).toBe(8_000);
  expect(performance.now() - startedMs).toBeLessThan(4_000);
});

test("metrics that many devices of a message do not carry cost no memory and little time", () => {
  const metrics = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`m${i}`, { required: true }]));
  const decoder = decoderOf({
    routes: [{ ...route, payload: { format: "json", device: "d" } }],
    contracts: [{ deviceType: "pump", metrics }],
  });
  const message = messageOf(
    0,
    "all",
    Array.from({ length: 5_000 }, (_, i) => ({ d: `${i}` })),
  );
  const startedMs = performance.now();
  expect(decoder.decode([message]).counters["quarantine.metric.missing"]).toBe(5_000);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});
