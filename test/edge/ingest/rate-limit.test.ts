import * as fc from "fast-check";
import { expect, test } from "vitest";
import { PublishRate, TokenBucket } from "../../../edge/ingest/rate-limit.ts";
import { brokerStarter } from "./started-broker.ts";

const start = brokerStarter();

test("whoever waits as long as it is told never gets more than the rate and one burst", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 1, max: 100 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 0, max: 500_000 })), {
        maxLength: 50,
      }),
      (perS, burst, spends) => {
        let nowUs = 0;
        let spent = 0;
        const bucket = new TokenBucket({ perS, burst }, nowUs);
        for (const [amount, idleUs] of spends) {
          nowUs += idleUs;
          spent += amount;
          nowUs += bucket.spend(amount, nowUs) * 1_000;
          expect(spent).toBeLessThanOrEqual(burst + (perS * nowUs) / 1_000_000 + 1e-6);
        }
      },
    ),
  );
});

test("within the rate nobody waits", () => {
  const bucket = new TokenBucket({ perS: 10, burst: 10 }, 0);
  for (let i = 0; i < 100; i++) expect(bucket.spend(1, i * 100_000)).toBe(0);
});

test("what is not there is not taken, and what is given back never makes more than a burst", () => {
  const bucket = new TokenBucket({ perS: 1, burst: 2 }, 0);
  expect([bucket.tryTake(1, 0), bucket.tryTake(1, 0), bucket.tryTake(1, 0)]).toEqual([true, true, false]);
  bucket.giveBack(5);
  expect([bucket.tryTake(1, 0), bucket.tryTake(1, 0), bucket.tryTake(1, 0)]).toEqual([true, true, false]);
});

test("the stricter of messages and bytes counts, and without either nothing is limited", () => {
  const both = new PublishRate({ publishMessagesPerS: 100, publishBytesPerS: 1_000 }, 0);
  expect(both.spend(1, 3_000, 0)).toBe(2_000);
  expect(new PublishRate({ publishMessagesPerS: 1 }, 0).spend(3, 1_000_000, 0)).toBe(2_000);
  const free = new PublishRate({}, 0);
  expect(free.isLimited).toBe(false);
  expect(free.spend(1_000_000, 1_000_000, 0)).toBe(0);
});

test.each([0, 1, 2] as const)(
  "a client over its rate is read later, others at once, and nothing is lost (QoS %i)",
  async (qos) => {
    const { open, sink, broker, refused } = await start({ publishMessagesPerS: 20 });
    const client = await open({ clientId: "eager" });
    const beganMs = performance.now();
    for (let i = 1; i <= 40; i++) client.publish("a", String(i), { qos, messageId: i });
    const other = await open({ clientId: "other" });
    other.publish("b", "0");
    await other.next("puback");
    expect(performance.now() - beganMs).toBeLessThan(900);
    await sink.arrived(41);
    expect(performance.now() - beganMs).toBeGreaterThan(900);
    expect(sink.texts().filter((text) => text.startsWith("a "))).toEqual(
      Array.from({ length: 40 }, (_, i) => `a ${i + 1}`),
    );
    expect(broker.stats().received).toBe(41);
    expect(Object.keys(refused())).toEqual(["publish.paused"]);
  },
);
