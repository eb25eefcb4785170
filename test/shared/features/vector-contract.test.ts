import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { CheckpointReader, CheckpointWriter } from "@sluice/shared/features/checkpoint.ts";
import { type JudgedVector, VectorContract } from "@sluice/shared/features/vector-contract.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const viewWith = (expected: object, rest: object = {}) =>
  featureViewSchema.parse({
    name: "v",
    owner: "test",
    match: { deviceType: "pump" },
    window: { kind: "tumbling", sizeMs: 1_000 },
    inputs: { a: { metric: "flow", freshnessMs: 300 } },
    features: [
      { name: "a_mean", fn: "mean", of: "a", expect: expected },
      { name: "a_max", fn: "max", of: "a" },
    ],
    ...rest,
  });

const vector = (value: number | undefined, change: Partial<JudgedVector> = {}): JudgedVector => ({
  device: "p1",
  windowEndUs: 1_000_000,
  revision: 0,
  values: [value, 1e9],
  newestUs: () => 900_000,
  ...change,
});

test("a value outside of what was promised is named with the bound that it breaks; the bounds themselves are fine", () => {
  const contract = new VectorContract(viewWith({ min: -1, max: 10 }));
  const violations = (value: number | undefined) => contract.judge(vector(value)).violations;
  expect(violations(10)).toEqual([]);
  expect(violations(-1)).toEqual([]);
  expect(violations(undefined)).toEqual([]);
  expect(violations(10.5)).toEqual(["a_mean: 10.5 is above 10"]);
  expect(violations(-2)).toEqual(["a_mean: -2 is below -1"]);
});

test("an input whose newest reading is too old for the window's end, or is not there, is named", () => {
  const contract = new VectorContract(viewWith({}));
  const at = (newestUs: number | undefined) =>
    contract.judge(vector(1, { newestUs: () => newestUs })).violations;
  expect(at(700_000)).toEqual([]);
  expect(at(699_000)).toEqual(["input a: newest reading 301 ms old, 300 allowed"]);
  expect(at(undefined)).toEqual(["input a: no reading"]);
});

test("a feature may be missing in so many of the last windows, and revisions count for nothing", () => {
  const view = viewWith({ missingShareMax: 0.5 }, { breaker: { windowVectors: 4, violationShareMax: 0.9 } });
  const contract = new VectorContract(view);
  const missing = (revision = 0) => contract.judge(vector(undefined, { revision })).violations;
  expect(missing()).toEqual([]);
  expect(missing()).toEqual([]);
  expect(missing(1)).toEqual([]);
  expect(missing()).toEqual(["a_mean: missing in 3 of the last 4 windows, 2 allowed"]);
  expect(missing(1)).toEqual(["a_mean: missing in 3 of the last 4 windows, 2 allowed"]);
  for (let i = 0; i < 2; i++) contract.judge(vector(1));
  expect(missing()).toEqual([]);
});

test("the breaker keeps a device's vectors from models while too many are bad, and closes by itself", () => {
  const view = viewWith(
    { max: 10 },
    { breaker: { windowVectors: 10, violationShareMax: 0.3, closeShareMax: 0.1 } },
  );
  const contract = new VectorContract(view);
  const withheld = (value: number, device = "p1") => contract.judge(vector(value, { device })).withheld;
  expect([11, 11, 11, 11].map((value) => withheld(value))).toEqual([false, false, false, true]);
  expect(withheld(1, "p2")).toBe(false);
  expect(contract.openCount).toBe(1);
  expect([1, 1, 1, 1, 1, 1, 1, 1, 1].map((value) => withheld(value))).toEqual([
    ...Array.from({ length: 8 }, () => true),
    false,
  ]);
});

test("without a promise nothing is checked and nothing is remembered", () => {
  const { inputs: _, ...view } = viewWith({});
  const contract = new VectorContract({ ...view, inputs: { a: { metric: "flow" } } });
  expect(contract.isEmpty).toBe(true);
  expect(contract.judge(vector(1e300))).toEqual({ violations: [], withheld: false });
});

/*
 * Goal: verdicts are those of the definition, and a checkpoint at any place changes none.
 * Method: random vectors; the shares are counted by brute force over all first closings of the device.
 */
test("verdicts follow from the vectors in their order, wherever a checkpoint is taken and restored", () => {
  const made = fc.array(
    fc.record({
      device: fc.constantFrom("p1", "p2"),
      value: fc.option(fc.integer({ min: 0, max: 14 }), { nil: undefined, freq: 3 }),
      isRevision: fc.boolean(),
    }),
    { maxLength: 80, size: "max" },
  );
  const breaker = { windowVectors: 5, violationShareMax: 0.4, closeShareMax: 0.2 };
  const view = viewWith({ max: 10, missingShareMax: 0.5 }, { breaker });
  fc.assert(
    fc.property(made, fc.nat(80), (rows, cut) => {
      let contract = new VectorContract(view);
      const pasts = new Map<string, { missing: boolean[]; bad: boolean[]; isOpen: boolean }>();
      const last = (flags: readonly boolean[]): number => flags.slice(-5).filter(Boolean).length;
      for (const [i, { device, value, isRevision }] of rows.entries()) {
        if (i === cut) {
          const to = new CheckpointWriter();
          contract.save(to);
          const from = new CheckpointReader(to.finish());
          contract = new VectorContract(view, from);
          from.end();
        }
        const past = pasts.get(device) ?? { missing: [], bad: [], isOpen: false };
        pasts.set(device, past);
        if (!isRevision) past.missing.push(value === undefined);
        const isBad = (value ?? 0) > 10 || last(past.missing) > 2;
        if (!isRevision) {
          past.bad.push(isBad);
          past.isOpen = last(past.bad) / 5 > (past.isOpen ? 0.2 : 0.4);
        }
        const verdict = contract.judge(vector(value, { device, revision: Number(isRevision) }));
        expect(verdict.violations.length > 0).toBe(isBad);
        expect(verdict.withheld).toBe(past.isOpen);
      }
      expect(contract.openCount).toBe([...pasts.values()].filter(({ isOpen }) => isOpen).length);
    }),
    { numRuns: 500 },
  );
});
