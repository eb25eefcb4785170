import { landingKey } from "@sluice/shared/contract/lake-key.ts";
import { firstBatch, type LandingObject, planLanding } from "@sluice/cloud/lake/plan-landing.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { EPOCH } from "./rows.ts";

const object = (from: number, to: number, gateway = "gw-1", bytes = 10): LandingObject => {
  const range = { stream: "readings" as const, gateway, epoch: EPOCH, from, to };
  return { key: landingKey(range), bytes, range };
};

const objects = fc
  .array(fc.tuple(fc.nat(30), fc.nat(8), fc.constantFrom("gw-1", "gw-2")), { maxLength: 25 })
  .map((ranges) => [
    ...new Map(
      ranges.map(([from, size, gateway]) => {
        const made = object(from, from + size, gateway);
        return [made.key, made] as const;
      }),
    ).values(),
  ]);

test("steps follow each other without gap, and the rows that are used never overlap", () => {
  fc.assert(
    fc.property(objects, fc.integer({ min: -1, max: 20 }), (landed, committed) => {
      const plan = planLanding(landed, () => committed);
      for (const gateway of ["gw-1", "gw-2"]) {
        const steps = plan.steps.filter(({ object: { range } }) => range.gateway === gateway);
        let through = committed;
        let used = committed;
        for (const {
          object: { range },
          overlaps,
        } of steps) {
          expect(range.from).toBeLessThanOrEqual(through + 1);
          expect(range.to).toBeGreaterThan(through);
          expect(overlaps).toBe(range.from <= through);
          expect(overlaps || range.from > used).toBe(true);
          if (!overlaps) used = range.to;
          through = range.to;
        }
        const gap = plan.gaps.find((found) => found.gateway === gateway);
        expect(gap?.from ?? through + 1).toBe(through + 1);
      }
    }),
  );
});

test("every object is a step, done, foreign, or waits behind a gap", () => {
  fc.assert(
    fc.property(objects, fc.integer({ min: -1, max: 20 }), (landed, committed) => {
      const plan = planLanding(landed, () => committed);
      const waiting = plan.gaps.reduce((sum, gap) => sum + gap.waiting, 0);
      expect(plan.steps.length + plan.done.length + plan.foreign.length + waiting).toBe(landed.length);
      for (const { range } of plan.done) expect(range.to).toBeLessThanOrEqual(committed);
    }),
  );
});

test("committing batch by batch ends with everything used that committing at once uses, and always ends", () => {
  fc.assert(
    fc.property(objects, fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 8 }), (...given) => {
      const [landed, bytesMax, objectsMax] = given;
      const reached = new Map<string, number>();
      const used: string[] = [];
      for (let batches = 0; ; batches++) {
        expect(batches).toBeLessThanOrEqual(landed.length);
        const { steps } = planLanding(landed, (gateway) => reached.get(gateway) ?? -1);
        const batch = firstBatch(steps, { bytesMax, objectsMax });
        if (batch.length === 0) break;
        expect(batch.length === 1 || batch.length * 10 <= bytesMax).toBe(true);
        expect(batch.length).toBeLessThanOrEqual(objectsMax);
        for (const { object: step, overlaps } of batch) {
          reached.set(step.range.gateway, step.range.to);
          if (!overlaps) used.push(step.key);
        }
      }
      const atOnce = planLanding(landed, () => -1).steps.filter(({ overlaps }) => !overlaps);
      expect(used.toSorted()).toEqual(atOnce.map(({ object: step }) => step.key).sort());
    }),
  );
});
