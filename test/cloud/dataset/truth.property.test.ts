import * as fc from "fast-check";
import { expect, test } from "vitest";
import { labelOfWindow, resolveLabels } from "../../../cloud/dataset/truth.ts";
import { label } from "./lake.ts";

const NAMES = ["normal", "wear", "cavitation"] as const;

const labels = fc.array(
  fc
    .record({
      from: fc.integer({ min: 0, max: 30 }),
      length: fc.integer({ min: 0, max: 12 }),
      name: fc.constantFrom(...NAMES),
      knownAtUs: fc.integer({ min: 0, max: 4 }),
    })
    .map(({ from, length, name, knownAtUs }) => label(name, [from, from + length], { knownAtUs })),
  { maxLength: 8 },
);

test("a window has the label that stepping through every instant of it gives", () => {
  // The model: at each second the label that became known last holds; faults win a tie, then the name.
  fc.assert(
    fc.property(
      labels,
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 1, max: 15 }),
      (all, start, length) => {
        const holding = Array.from({ length }, (_, i) => {
          const at = (start + i) * 1_000_000;
          const rank = (name: string): string => (name === "normal" ? "z" : name);
          return all
            .filter((one) => one.fromUs <= at && at < one.toUs)
            .toSorted((a, b) => b.knownAtUs - a.knownAtUs || (rank(a.label) < rank(b.label) ? -1 : 1))
            .at(0)?.label;
        });
        const fault = holding.find((name) => name !== undefined && name !== "normal");
        const window = { startUs: start * 1_000_000, endUs: (start + length) * 1_000_000 };
        expect(labelOfWindow(resolveLabels(all), "pump-1", window)).toBe(
          fault ?? holding.find((name) => name !== undefined),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test("labels that contradict each other give the same truth in any order", () => {
  fc.assert(
    fc.property(
      labels.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([all, shuffled]) => {
        expect(resolveLabels(shuffled)).toEqual(resolveLabels(all));
      },
    ),
  );
});

test("a label of one device says nothing of another", () => {
  const truth = resolveLabels([label("wear", [0, 10])]);
  expect(labelOfWindow(truth, "pump-2", { startUs: 0, endUs: 1_000_000 })).toBeUndefined();
});

test("more labels of one device than can be resolved are refused", () => {
  const many = Array.from({ length: 10_001 }, (_, i) => label("wear", [i, i + 1]));
  expect(() => resolveLabels(many)).toThrow(/device pump-1 has 10001 labels/);
});
