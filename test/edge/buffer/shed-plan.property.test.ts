import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  type BatchFacts,
  type DiskFacts,
  isAboveHigh,
  isAboveLow,
  planShedding,
  SHED_ORDER,
  SHED_STREAMS,
  type ShedAction,
  type ShedPolicy,
} from "../../../edge/buffer/shed-plan.ts";

const batchArbitrary = fc.record({
  stream: fc.constantFrom(...SHED_STREAMS),
  bytes: fc.integer({ min: 100, max: 200_000 }),
  step: fc.constantFrom(0, 1, 1, 1, 2, 4, 8, 16),
  settled: fc.boolean(),
});

const facts: fc.Arbitrary<DiskFacts> = fc
  .record({
    usedShare: fc.double({ min: 0, max: 1.2, noNaN: true }),
    budgetBytes: fc.integer({ min: 100_000, max: 5_000_000 }),
    spareRawBytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000_000 })),
    batches: fc.array(batchArbitrary, { maxLength: 30 }),
  })
  .map(({ usedShare, budgetBytes, spareRawBytes, batches }) => ({
    usedBytes: usedShare * budgetBytes,
    budgetBytes,
    spareRawBytes,
    batches: batches.map((batch, id) => ({ ...batch, id })),
  }));

const policy: fc.Arbitrary<ShedPolicy> = fc.record({
  whenFull: fc.constantFrom("shed", "shed", "refuse"),
  thinningMax: fc.constantFrom(1, 2, 16, 64),
});

/** What a plan leaves, as it estimates it. */
function leftAfter(facts: DiskFacts, actions: readonly ShedAction[]) {
  let usedBytes = facts.usedBytes;
  const batches = new Map(facts.batches.map((batch) => [batch.id, { ...batch }]));
  for (const action of actions) {
    if (action.do === "drop-raw") {
      usedBytes -= facts.spareRawBytes;
      continue;
    }
    const batch = batches.get(action.id);
    if (batch === undefined) throw new Error(`batch ${action.id} is one of those there are`);
    const step = action.do === "drop" ? 0 : action.step;
    const bytes = step === 0 ? 0 : (batch.bytes * batch.step) / step;
    expect(bytes, "an action frees something").toBeLessThan(batch.bytes);
    usedBytes -= batch.bytes - bytes;
    Object.assign(batch, { bytes, step });
  }
  return { usedBytes, batches: [...batches.values()] };
}

const isWorth = ({ bytes, step }: BatchFacts): boolean => step !== 0 && bytes >= 4_096;

test("nothing is given up below the high mark, and nothing but spare raw messages where the policy is to refuse", () => {
  fc.assert(
    fc.property(facts, policy, (facts, policy) => {
      const actions = planShedding(facts, policy);
      const onlyRaw = actions.filter((action) => action.do === "drop-raw");
      expect(actions.length === 0 || isAboveHigh(facts)).toBe(true);
      expect(actions.length === onlyRaw.length || policy.whenFull === "shed").toBe(true);
    }),
  );
});

test("a plan leads below the low mark, or to where nothing is left that may be given up", () => {
  fc.assert(
    fc.property(facts, policy, (facts, policy) => {
      fc.pre(isAboveHigh(facts) && policy.whenFull === "shed");
      const { usedBytes, batches } = leftAfter(facts, planShedding(facts, policy));
      expect(!isAboveLow({ ...facts, usedBytes }) || !batches.some(isWorth)).toBe(true);
    }),
  );
});

test("no action is more than is needed: without the last one the low mark is not reached", () => {
  fc.assert(
    fc.property(facts, policy, (facts, policy) => {
      const actions = planShedding(facts, policy);
      fc.pre(actions.length > 0);
      const { usedBytes } = leftAfter(facts, actions.slice(0, -1));
      expect(isAboveLow({ ...facts, usedBytes })).toBe(true);
    }),
  );
});

test("what is lost last goes last: spare raw messages first, then each class in its order, and in it the oldest first", () => {
  fc.assert(
    fc.property(facts, policy, (facts, policy) => {
      const actions = planShedding(facts, policy);
      const rawAt = actions.findIndex((action) => action.do === "drop-raw");
      expect(rawAt).toBe(isAboveHigh(facts) && facts.spareRawBytes > 0 ? 0 : -1);
      const places = actions.flatMap((action) => {
        if (action.do === "drop-raw") return [];
        const batch = facts.batches[action.id];
        const place = SHED_ORDER.findIndex(
          ({ stream, how, settled }) =>
            stream === batch?.stream && how === action.do && settled === batch.settled,
        );
        return [[place, action.do === "thin" ? action.step : 0, action.id] as const];
      });
      expect(places.map(([place]) => place)).not.toContain(-1);
      expect(places).toEqual(places.toSorted((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]));
      expect(Math.max(1, ...places.map(([, step]) => step))).toBeLessThanOrEqual(policy.thinningMax);
    }),
  );
});
