import { type FeatureFunction, inputsOf } from "@sluice/shared/features/functions/function.ts";
import { FUNCTIONS } from "@sluice/shared/features/functions/registry.ts";
import type { TestFeature } from "./readings.ts";

type With = Readonly<Record<string, number | string>>;

const BEARING: With = { fault: "bpfo", balls: 9, ball_mm: 8, pitch_mm: 40 };

/** Settings of functions that cannot do with the least of each that they demand. */
const SETTINGS: Readonly<Record<string, With>> = {
  band_energy: { from_hz: 10, to_hz: 100 },
  bearing_energy: { ...BEARING, shaft_hz: 20 },
  bearing_energy_at_speed: BEARING,
  bearing_prominence: { ...BEARING, shaft_hz: 20 },
  bearing_prominence_at_speed: BEARING,
  quantile: { q: 0.3 },
  exponential_mean: { alpha: 0.3 },
  exponential_variance: { alpha: 0.3 },
  missing_share: { interval_s: 0.05 },
  count_since: { above: 0 },
  cusum: { drift: 0.5, threshold: 4 },
  change_point: { drift: 0.5, threshold: 4 },
  time_above: { threshold: 0.5 },
  time_below: { threshold: 0.5 },
};

/** Names of the functions of waveforms, which have tests of their own. */
export const WAVEFORM = /spectr|envelope|bearing|goertzel|band|dominant/;

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
