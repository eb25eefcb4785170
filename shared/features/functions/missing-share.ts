import { numberOf, type FunctionSettings, type OneInput } from "./function.ts";

/** How many readings a second are expected. */
function rateHzOf(settings: FunctionSettings): number {
  return settings["rate_hz"] === undefined
    ? 1 / numberOf(settings, "interval_s")
    : numberOf(settings, "rate_hz");
}

/**
 * The share of the expected readings that a window lacks, 1 - n / (length · rate), from 0 to 1: of a window that has
 * more than were expected it is 0, of one without a reading 1. What the values are does not matter. What is expected is
 * said by `interval_s` or `rate_hz`. Undefined for a window without a length. Unit: 1.
 */
export const missingShare: OneInput = {
  name: "missing_share",
  kind: "one input",
  summary: "The share of the readings expected by `interval_s` or `rate_hz` that the window lacks, 0 to 1.",
  unit: "1",
  settings: {
    interval_s: { min: 1e-6, max: 2_678_400, optional: true },
    rate_hz: { min: 1e-6, max: 1_000_000, optional: true },
  },
  refuse(settings) {
    const [interval, rate] = [settings["interval_s"], settings["rate_hz"]];
    return (interval === undefined) === (rate === undefined)
      ? "missing_share needs either interval_s or rate_hz"
      : undefined;
  },
  evaluate(input, { settings, startUs, endUs }) {
    const expected = ((endUs - startUs) / 1_000_000) * rateHzOf(settings);
    return expected > 0 ? Math.max(0, 1 - input.count / expected) : undefined;
  },
};
