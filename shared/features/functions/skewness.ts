import type { OneInput } from "./function.ts";

/**
 * The third standardised moment, (Σ(x - mean)³ / n) / (Σ(x - mean)² / n)^1.5: g1 of Joanes & Gill (1998).
 * 0 for a symmetric signal. Undefined for fewer than three readings and for a constant. Unit: 1.
 */
export const skewness: OneInput = {
  name: "skewness",
  kind: "one input",
  summary: "The third standardised moment; from three readings on, none of a constant.",
  unit: "1",
  evaluate(input) {
    const { count } = input;
    if (count < 3 || input.squares() === 0) return undefined;
    const deviation = Math.sqrt(input.squares() / count);
    let cubes = 0;
    for (let i = 0; i < count; i++) {
      const z = input.deviation(i) / deviation;
      cubes += z * z * z;
    }
    return cubes / count;
  },
};
