import type { OneInput } from "./function.ts";

/**
 * The seconds from the newest reading to the window's end: what has not been heard for so long. What the values are does
 * not matter. Undefined without a reading. Unit: seconds.
 */
export const staleness: OneInput = {
  name: "staleness",
  kind: "one input",
  summary: "The seconds from the newest reading to the window's end.",
  unit: "s",
  evaluate: (input, { endUs }) =>
    input.count === 0 ? undefined : (endUs - input.timeUs(input.count - 1)) / 1_000_000,
};
