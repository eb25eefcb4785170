import { type FeatureFunction, inputsOf } from "@sluice/shared/features/functions/function.ts";
import { FUNCTIONS } from "@sluice/shared/features/functions/registry.ts";
import type { TestFeature } from "./readings.ts";

type With = Readonly<Record<string, number | string>>;

/** Settings of functions that cannot do with the least of each that they demand. */
const SETTINGS: Readonly<Record<string, With>> = {
  quantile: { q: 0.3 },
};

/** Settings that a function accepts: what it demands, each the least that it may be. */
export function settingsFor(fn: FeatureFunction): With {
  const least = Object.entries(fn.settings ?? {}).flatMap(([name, rule]) =>
    rule.optional === true || rule.default !== undefined || "refuse" in rule ? [] : [[name, rule.min]],
  );
  return SETTINGS[fn.name] ?? Object.fromEntries(least);
}

/** A feature by each function of the library, over the inputs a and b. */
export function everyFunction(): TestFeature[] {
  return [...FUNCTIONS.values()].map((fn) => {
    const inputs = ["a", "b"].slice(0, inputsOf(fn));
    const settings = settingsFor(fn);
    return {
      fn: fn.name,
      of: inputs.length === 0 ? undefined : inputs,
      with: Object.keys(settings).length === 0 ? undefined : settings,
    };
  });
}
