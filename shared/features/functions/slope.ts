import type { OneInput } from "./function.ts";

/**
 * The least-squares slope over event time in seconds, Σ(t - t̄)(x - x̄) / Σ(t - t̄)² (Legendre 1805). 0 for a constant;
 * gaps only weigh by where the readings are. Undefined where all readings have one time, as a single one has, and where
 * it is beyond the largest double. Unit: the input's per second.
 */
export const slope: OneInput = {
  name: "slope",
  kind: "one input",
  summary: "The least-squares slope over event time; none where all readings have one time.",
  unit: "input/s",
  evaluate(input) {
    const { count, scale } = input;
    if (count < 2 || input.timeUs(count - 1) === input.timeUs(0)) return undefined;
    const { products, squares } = input.trend();
    return (products * 1_000_000) / squares / scale;
  },
};
