import type { OneInput } from "./function.ts";

/**
 * The third standardised moment, (Σ(x - mean)³ / n) / (Σ(x - mean)² / n)^1.5: g1 of Joanes & Gill (1998).
 * 0 for a symmetric signal, the same however large or small it is. Undefined for fewer than three readings and for a
 * constant. Unit: 1.
 */
export const skewness: OneInput = {
  name: "skewness",
  kind: "one input",
  summary: "The third standardised moment; from three readings on, none of a constant.",
  unit: "1",
  evaluate(input) {
    const { count } = input;
    return count < 3 || input.squares() === 0 ? undefined : input.moments().cubes / count;
  },
};
