import { systemClock, SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LatencyHistogram } from "../../../simulators/fleet/latency-histogram.ts";
import { Publisher } from "../../../simulators/fleet/publisher.ts";
import { runLoad } from "../../../simulators/load/load-run.ts";
import type { LoadClient } from "../../../simulators/load/load-run.ts";
import { PAYLOAD_BYTES_MIN, PayloadMaker } from "../../../simulators/load/payload.ts";
import { startBroker } from "../fleet/broker.ts";

test("percentiles are within 2 % of those of the sorted latencies, also after merging", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 3_000_000_000 }), { minLength: 1 }), (latencies) => {
      const [all, even, odd] = [new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram()];
      for (const [i, us] of latencies.entries()) {
        all.add(us);
        (i % 2 === 0 ? even : odd).add(us);
      }
      even.merge(odd);
      expect(even.summary()).toEqual(all.summary());
      const sorted = latencies.toSorted((a, b) => a - b);
      const { p50, p99, max } = all.summary();
      for (const [q, ms] of [
        [0.5, p50],
        [0.99, p99],
        [1, max],
      ] as const) {
        const exact = (sorted[Math.ceil(q * sorted.length) - 1] ?? 0) / 1_000;
        expect(ms).toBeGreaterThanOrEqual(exact * 0.999_999);
        expect(ms).toBeLessThanOrEqual(exact * 1.021);
      }
    }),
  );
  expect(new LatencyHistogram().summary()).toEqual({ p50: 0, p95: 0, p99: 0, max: 0 });
});

test("payloads are JSON of exactly the size that was asked for, and differ", () => {
  for (const bytes of [PAYLOAD_BYTES_MIN, 57, 256, 10_000]) {
    const maker = new PayloadMaker(bytes, seededRandom(1));
    const made = Array.from({ length: 10 }, () => maker.make(1_700_000_000_000_000));
    for (const payload of made) {
      expect(Buffer.byteLength(payload)).toBe(bytes);
      expect(JSON.parse(payload)).toMatchObject({ ts: 1_700_000_000_000, m1: expect.any(Number) });
    }
    expect(new Set(made).size).toBe(10);
  }
  expect(() => new PayloadMaker(PAYLOAD_BYTES_MIN - 1, seededRandom(1))).toThrow("at least 40 are needed");
});

async function loadOn(
  broker: string,
  options: { clients: number; rate: number; qos?: 0 | 1; durationMs: number },
) {
  const publishers = Array.from(
    { length: options.clients },
    (_, i) =>
      new Publisher({
        broker,
        clientId: `load-${i}`,
        qos: options.qos ?? 1,
        window: 20,
        clock: systemClock,
        random: seededRandom(i),
      }),
  );
  await Promise.all(publishers.map((publisher) => publisher.start()));
  try {
    return await runLoad({
      clients: publishers,
      rate: options.rate,
      durationMs: options.durationMs,
      drainMs: 5_000,
      topic: (client) => `load/${client}`,
      payloads: new PayloadMaker(64, seededRandom(1)),
      clock: systemClock,
      signal: new AbortController().signal,
    });
  } finally {
    await Promise.all(publishers.map((publisher) => publisher.stop()));
  }
}

test("a rate is shared out evenly over the clients and every message is acknowledged", async () => {
  const broker = await startBroker();
  try {
    const result = await loadOn(broker.url, { clients: 4, rate: 2_000, durationMs: 300 });
    expect(result).toMatchObject({ clients: 4, sent: 600, acknowledged: 600, unacknowledged: 0 });
    for (let client = 0; client < 4; client++)
      expect(broker.seen.filter(({ topic }) => topic === `load/${client}`)).toHaveLength(150);
  } finally {
    await broker.kill();
  }
});

test("without a rate the windows are kept full until the time is over, at QoS 1 and 0", async () => {
  const broker = await startBroker();
  try {
    for (const qos of [1, 0] as const) {
      broker.seen.length = 0;
      const result = await loadOn(broker.url, { clients: 2, rate: 0, qos, durationMs: 150 });
      expect(result.acknowledged).toBeGreaterThan(100);
      expect(result).toMatchObject({ sent: result.acknowledged, unacknowledged: 0, overloaded: 0 });
      expect(broker.seen.every((publish) => publish.qos === qos)).toBe(true);
      expect(result.latencyMs.p50).toBeGreaterThan(0);
    }
  } finally {
    await broker.kill();
  }
});

test("a broker that stalls is charged for every message that was due meanwhile", async () => {
  // Goal: no coordinated omission. Method: acknowledgements of a whole second come at its end.
  const clock = new SimulatedClock(0);
  const waiting: (() => void)[] = [];
  const client: LoadClient = {
    publish: () => new Promise((resolve) => waiting.push(resolve)),
    room: () => Promise.resolve(),
    drain: () => {
      for (const acknowledge of waiting.splice(0)) acknowledge();
      return Promise.resolve(0);
    },
    stats: () => ({
      sent: 100,
      acknowledged: 100,
      resent: 0,
      reconnects: 0,
      lost: 0,
      inFlight: 0,
      waiting: 0,
      ackLatencyMs: { p50: 0, p95: 0, p99: 0, max: 0 },
    }),
  };
  const running = runLoad({
    clients: [client],
    rate: 100,
    durationMs: 1_000,
    drainMs: 1_000,
    topic: () => "t",
    payloads: new PayloadMaker(64, seededRandom(1)),
    clock,
    signal: new AbortController().signal,
  });
  for (let i = 0; i < 1_000; i++) {
    await clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { latencyMs } = await running;
  expect(latencyMs.max).toBeCloseTo(991, -1);
  expect(latencyMs.p50).toBeGreaterThan(450);
  expect(latencyMs.p50).toBeLessThan(550);
});
