// Goal: a function is as exact for the largest and the smallest signals as for usual ones, and its unit rule is what it
// does. Method: both inputs, and settings in their unit, times a power of two, which is exact; the value must then be
// multiplied by the power that the unit rule names.
import { FUNCTIONS } from "@sluice/shared/features/functions/registry.ts";
import { applyUnitRule } from "@sluice/shared/features/unit.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { everyFunction } from "./functions-all.ts";
import { run } from "./functions-run.ts";

/** Settings in the unit of the input. */
const IN_UNIT = new Set(["threshold", "drift", "target", "above", "below", "low", "high"]);

const INPUT = new Map([["u", 1]]);

/** To which power of its inputs a function goes: 2 for a variance. */
const POWERS = new Map(
  [...FUNCTIONS.values()].map(({ name, unit }) => [name, applyUnitRule(unit, [INPUT, INPUT])?.get("u") ?? 0]),
);

const values = fc.array(fc.integer({ min: -1_000, max: 1_000 }), { maxLength: 24 });
const windows = fc.array(fc.record({ a: values, b: values }), { minLength: 1, maxLength: 4 });
/** Beyond 2^±300 squares would overflow or vanish; the square of a result still is a double. */
const exponents = fc.oneof(fc.integer({ min: -480, max: 480 }), fc.constantFrom(-480, -300, 300, 480));

function near(found: number | undefined, expected: number | undefined): boolean {
  if (found === undefined || expected === undefined) return found === expected;
  return Math.abs(found - expected) <= 1e-9 * Math.max(1e-3, Math.abs(expected));
}

test.each(everyFunction().map((feature) => [feature.fn, feature] as const))(
  "%s follows its unit when the signals are multiplied by any power of two",
  (fn, feature) => {
    fc.assert(
      fc.property(windows, exponents, (signals, exponent) => {
        const factor = 2 ** exponent;
        const scaled = Object.entries(feature.with ?? {}).map(([name, value]) => [
          name,
          IN_UNIT.has(name) ? Number(value) * factor : value,
        ]);
        const times = (list: readonly number[]): number[] => list.map((value) => value * factor);
        const usual = run(feature, signals);
        const multiplied = run(
          { ...feature, with: feature.with === undefined ? undefined : Object.fromEntries(scaled) },
          signals.map(({ a, b }) => ({ a: times(a), b: times(b) })),
        );
        const back = multiplied.map((value) =>
          value === undefined ? undefined : value / factor ** (POWERS.get(fn) ?? 0),
        );
        expect(usual.filter((value, i) => !near(back[i], value))).toEqual([]);
      }),
    );
  },
);
