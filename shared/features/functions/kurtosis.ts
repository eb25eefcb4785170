import type { OneInput } from "./function.ts";

/**
 * The fourth standardised moment, (Σ(x - mean)⁴ / n) / (Σ(x - mean)² / n)², not the excess: 3 for normal noise,
 * 1.5 for a sine, as bearing diagnostics uses it (Dyer & Stewart 1978), the same however large or small the signal is.
 * Undefined for fewer than four readings and for a constant. Unit: 1.
 */
export const kurtosis: OneInput = {
  name: "kurtosis",
  kind: "one input",
  summary: "The fourth standardised moment, 3 for normal noise; from four readings on, none of a constant.",
  unit: "1",
  evaluate(input) {
    const { count } = input;
    return count < 4 || input.squares() === 0 ? undefined : input.moments().fourths / count;
  },
};
