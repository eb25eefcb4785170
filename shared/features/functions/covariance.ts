import type { TwoInputs } from "./function.ts";
import { pairs } from "./pairs.ts";

/**
 * The sample covariance of the pairs of readings with equal event time, Σ(x - x̄)(y - ȳ) / (n - 1), in two passes.
 * Undefined for fewer than two pairs, 0 where one side is constant. Unit: the product of the inputs'.
 */
export const covariance: TwoInputs = {
  name: "covariance",
  kind: "two inputs",
  summary: "The sample covariance of the readings with equal event times; from two pairs on.",
  unit: "input*other",
  evaluate(first, second) {
    const [x, y] = pairs(first, second);
    if (x.count < 2) return undefined;
    if (x.squares() === 0 || y.squares() === 0) return 0;
    let products = 0;
    for (let i = 0; i < x.count; i++) products += x.deviation(i) * y.deviation(i);
    return products / (x.count - 1) / x.scale / y.scale;
  },
};
