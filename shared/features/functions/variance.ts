import type { OneInput } from "./function.ts";

/**
 * The sample variance, Σ(x - mean)² / (n - 1), in two corrected passes (Chan, Golub & LeVeque 1983), so that a large
 * offset loses nothing. Exactly 0 for a constant; undefined for fewer than two readings and where it is beyond the
 * largest double. Unit: the input's, squared.
 */
export const variance: OneInput = {
  name: "variance",
  kind: "one input",
  summary: "The sample variance, Σ(x - mean)² / (n - 1); from two readings on.",
  unit: "input^2",
  evaluate: (input) =>
    input.count < 2 ? undefined : input.squares() / (input.count - 1) / input.scale / input.scale,
};
