import type { TwoInputs } from "./function.ts";
import { pairs } from "./pairs.ts";

/**
 * Pearson's correlation (1895) of the pairs of readings with equal event time, Σ(x - x̄)(y - ȳ) / √(Σ(x - x̄)² Σ(y - ȳ)²),
 * from -1 to 1, the same however large or small the signals are. Undefined for fewer than two pairs and where one side is
 * constant. Unit: 1.
 */
export const correlation: TwoInputs = {
  name: "correlation",
  kind: "two inputs",
  summary:
    "Pearson's correlation of the readings with equal event times; from two pairs on, none where one side is constant.",
  unit: "1",
  evaluate(first, second) {
    const [x, y] = pairs(first, second);
    if (x.count < 2 || x.squares() === 0 || y.squares() === 0) return undefined;
    let products = 0;
    for (let i = 0; i < x.count; i++) products += x.deviation(i) * y.deviation(i);
    // One root rounds once; two are for squares whose product is no double.
    const product = x.squares() * y.squares();
    const single = product > Number.MIN_VALUE * 2 ** 60 && product < Infinity;
    const scale = single ? Math.sqrt(product) : Math.sqrt(x.squares()) * Math.sqrt(y.squares());
    return Math.min(1, Math.max(-1, products / scale));
  },
};
