import { systemClock } from "@sluice/shared/runtime/clock.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { keyOf, RedeliveryFilter } from "../../../edge/buffer/redelivery-filter.ts";
import { messageOf } from "./fixtures.ts";

const stored = fc.record({
  client: fc.constantFrom("a", "b", "a\n1"),
  packetId: fc.integer({ min: 1, max: 12 }),
  payload: fc.constantFrom("x", "y", ""),
  topic: fc.constantFrom("t", "u"),
});
type Stored = { client: string; packetId: number; payload: string; topic: string };

const again = ({ payload, ...more }: Stored) => messageOf(payload, { ...more, dup: true });

test("the newest messages are recognised, and only as what was stored last under their packet identifier", () => {
  fc.assert(
    fc.property(
      fc.array(stored, { maxLength: 80 }),
      fc.integer({ min: 1, max: 20 }),
      stored,
      (sequence, entriesMax, asked) => {
        const filter = new RedeliveryFilter(entriesMax);
        for (const { payload, ...more } of sequence) filter.remember(keyOf(messageOf(payload, more)));
        const isOfAsked = (one: Stored): boolean =>
          one.client === asked.client && one.packetId === asked.packetId;
        const last = sequence.findLast(isOfAsked);
        const isSame = last?.payload === asked.payload && last.topic === asked.topic;
        // Never what was not stored; always what is among the newest `entriesMax`; between them, as it comes.
        const mustBe = isSame && sequence.slice(-entriesMax).some(isOfAsked);
        const found = filter.isRedelivery(keyOf(again(asked)));
        expect({ found, isSame, mustBe }).toEqual({ found: isSame && (mustBe || found), isSame, mustBe });
      },
    ),
  );
});

test("no more than twice the limit is remembered", () => {
  const filter = new RedeliveryFilter(100);
  for (let n = 0; n < 1_000; n++) filter.remember(keyOf(messageOf("x", { client: `c${n}` })));
  const known = Array.from({ length: 1_000 }, (_, n) =>
    filter.knows(keyOf(messageOf("x", { client: `c${n}` }))),
  );
  expect(known.filter(Boolean).length).toBeLessThanOrEqual(200);
  expect(known.slice(-100)).not.toContain(false);
});

test("a message without DUP, or without an acknowledgement to lose, is never a redelivery", () => {
  const filter = new RedeliveryFilter(100);
  filter.remember(keyOf(messageOf("x")));
  expect(filter.isRedelivery(keyOf(messageOf("x")))).toBe(false);
  expect(filter.isRedelivery(keyOf(messageOf("x", { dup: true, qos: 0 })))).toBe(false);
  filter.remember(keyOf(messageOf("y", { qos: 0, packetId: 0 })));
  expect(filter.knows(keyOf(messageOf("y", { packetId: 0 })))).toBe(false);
});

test("a full filter costs about as much for each message as one that is filling", () => {
  const entriesMax = 100_000;
  const filter = new RedeliveryFilter(entriesMax);
  let n = 0;
  const remember = (count: number): number => {
    const startUs = systemClock.monotonicUs();
    for (const end = n + count; n < end; n++)
      filter.remember(keyOf(messageOf("x", { client: `c${n % 50}`, packetId: (n % 65_535) + 1 })));
    return (systemClock.monotonicUs() - startUs) / count;
  };
  remember(2_000); // Warm.
  const filling = remember(entriesMax - 3_000);
  const full = Math.min(remember(entriesMax), remember(entriesMax));
  // Forgetting one entry at a time is more than 10 times as slow.
  expect(full).toBeLessThan(4 * filling);
});
