import type { OneInput } from "./function.ts";

/**
 * The sample standard deviation, √(Σ(x - mean)² / (n - 1)), as the variance; of values whose squares overflow or vanish
 * it is right, because they are scaled. Exactly 0 for a constant; undefined for fewer than two readings. Unit: the
 * input's.
 */
export const std: OneInput = {
  name: "std",
  kind: "one input",
  summary: "The sample standard deviation, the root of the variance; from two readings on.",
  unit: "input",
  evaluate: (input) =>
    input.count < 2 ? undefined : Math.sqrt(input.squares() / (input.count - 1)) / input.scale,
};
