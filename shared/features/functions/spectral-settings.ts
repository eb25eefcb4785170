import type { Band } from "../envelope.ts";
import { type FunctionSettings, numberOf, type NumberSetting } from "./function.ts";

/** A frequency: no sensor samples faster than 2 MHz through MQTT. */
export const HZ: NumberSetting = { min: 0, max: 1_000_000 };

/** Which of the lines of a spectrum, from the highest on. */
export const RANK: NumberSetting = { min: 1, max: 16, whole: true, default: 1 };

/** The band whose envelope is taken; all but the mean where nothing is said. */
export const BAND = { from_hz: { ...HZ, default: 0 }, to_hz: { ...HZ, default: HZ.max } };

/** The multiples of a frequency that are looked at, and how far each may be off, as a share of it. */
export const SERIES = {
  harmonics: { min: 1, max: 10, whole: true, default: 3 },
  tolerance: { min: 0, max: 0.1, default: 0.01 },
};

export function bandOf(settings: FunctionSettings): Band {
  return { fromHz: numberOf(settings, "from_hz"), toHz: numberOf(settings, "to_hz") };
}

export function seriesOf(settings: FunctionSettings): {
  readonly harmonics: number;
  readonly tolerance: number;
} {
  return { harmonics: numberOf(settings, "harmonics"), tolerance: numberOf(settings, "tolerance") };
}

/** What is wrong with a band. */
export function refuseBand(settings: FunctionSettings): string | undefined {
  const { fromHz, toHz } = bandOf(settings);
  return fromHz < toHz ? undefined : `from_hz ${fromHz} must be below to_hz ${toHz}`;
}

/** What is wrong with a band and a series: lines that overlap would count twice. */
export function refuseSeries(settings: FunctionSettings): string | undefined {
  const { harmonics, tolerance } = seriesOf(settings);
  if (harmonics * tolerance >= 0.5)
    return `harmonics ${harmonics} with a tolerance of ${tolerance} overlap: their product must be below 0.5`;
  return refuseBand(settings);
}
