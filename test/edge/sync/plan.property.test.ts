import { isDue, pacedUntilUs, planRange } from "@sluice/edge/sync/plan.ts";
import { isNumbered, STREAMS } from "@sluice/shared/contract/stream.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const limits = { batchRowsMax: 100, batchBytesMax: 10_000, batchAgeMs: 1_000, holdUs: 0 };
const NOW_US = 1_800_000_000_000_000;
const pending = fc.record({
  rows: fc.nat(200),
  bytes: fc.nat(20_000),
  oldestAtUs: fc.integer({ min: NOW_US - 3_000_000, max: NOW_US + 3_000_000 }),
});

test("a batch is due when it is full, when its oldest row has waited, or at the end, and never without rows", () => {
  fc.assert(
    fc.property(pending, (rows) => {
      const full = rows.rows > 0 && (rows.rows >= 100 || rows.bytes >= 10_000);
      const waited = rows.rows > 0 && Math.abs(NOW_US - rows.oldestAtUs) >= 1_000_000;
      expect(isDue(rows, limits, "full", NOW_US)).toBe(full);
      expect(isDue(rows, limits, "live", NOW_US)).toBe(full || waited);
      expect(isDue(rows, limits, "all", NOW_US)).toBe(rows.rows > 0);
    }),
  );
});

test("rows that must wait are in no batch before, and then wait for its age; at the end they are still held back", () => {
  const held = { ...limits, holdUs: 2_000_000 };
  fc.assert(
    fc.property(pending, (rows) => {
      const waitedUs = Math.abs(NOW_US - rows.oldestAtUs);
      const isOld = rows.rows > 0 && waitedUs >= 3_000_000;
      expect(isDue(rows, held, "all", NOW_US)).toBe(rows.rows > 0 && waitedUs >= 2_000_000);
      expect(isDue(rows, held, "live", NOW_US)).toBe(isOld);
      expect(isDue(rows, held, "full", NOW_US)).toBe(isOld && rows.rows >= 100);
    }),
  );
});

test("ranges follow each other without gap or overlap and cover every chunk, wherever the batches are cut", () => {
  // A chunk is a step that gave rows; steps without rows only move the messages on.
  const steps = fc.array(
    fc.record({ messages: fc.integer({ min: 1, max: 9 }), hasRows: fc.boolean(), cut: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...STREAMS), steps, (stream, taken) => {
      let decodedThrough = -1;
      let sealedThrough = -1;
      let chunks: { from: number; to: number }[] = [];
      for (const { messages, hasRows, cut } of taken) {
        const ownNumbers = isNumbered(stream);
        const lastTo = chunks.at(-1)?.to ?? sealedThrough;
        const from = ownNumbers ? lastTo + 1 : decodedThrough + 1;
        decodedThrough += messages;
        if (hasRows) chunks.push({ from, to: ownNumbers ? from + messages - 1 : decodedThrough });
        if (!cut || chunks.length === 0) continue;
        const sealed = chunks.slice(0, Math.ceil(chunks.length / 2));
        const facts = { from: sealed[0]?.from ?? -1, to: sealed.at(-1)?.to ?? -1 };
        const isLast = sealed.length === chunks.length;
        const range = planRange({ stream, sealedThrough, decodedThrough, isLast, ...facts });
        expect(range.from).toBe(sealedThrough + 1);
        expect(range.from).toBeLessThanOrEqual(facts.from);
        expect(range.to).toBeLessThan(chunks[sealed.length]?.from ?? Number.POSITIVE_INFINITY);
        expect(range.to).toBe(!ownNumbers && isLast ? decodedThrough : facts.to);
        sealedThrough = range.to;
        chunks = chunks.slice(sealed.length);
      }
    }),
  );
});

test("a cap on bandwidth spaces batches by their size", () => {
  expect(pacedUntilUs(1_000_000, 50_000, 10_000)).toBe(6_000_000);
  expect(pacedUntilUs(1_000_000, 50_000, undefined)).toBe(1_000_000);
});
