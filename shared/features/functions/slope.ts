import type { OneInput } from "./function.ts";

/**
 * The least-squares slope over event time in seconds, Σ(t - t̄)(x - x̄) / Σ(t - t̄)².
 * Undefined where all readings have one time. Unit: the input's per second.
 */
export const slope: OneInput = {
  name: "slope",
  kind: "one input",
  summary: "The least-squares slope over event time; none where all readings have one time.",
  unit: "input/s",
  evaluate(input) {
    const { count, scale } = input;
    if (count < 2) return undefined;
    // Times from the first one on, so that a double holds them exactly.
    const origin = input.timeUs(0);
    let total = 0;
    for (let i = 0; i < count; i++) total += input.timeUs(i) - origin;
    const middle = total / count;
    let products = 0;
    let squares = 0;
    for (let i = 0; i < count; i++) {
      const sinceMiddleUs = input.timeUs(i) - origin - middle;
      products += sinceMiddleUs * input.deviation(i);
      squares += sinceMiddleUs * sinceMiddleUs;
    }
    if (input.timeUs(count - 1) === origin) return undefined;
    return (products * 1_000_000) / squares / scale;
  },
};
