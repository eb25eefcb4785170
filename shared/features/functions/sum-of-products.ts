import type { TwoInputs } from "./function.ts";
import { pairs } from "./pairs.ts";

/**
 * The sum Σxy over the pairs of readings with equal event time, compensated (Neumaier 1974).
 *
 * With `pair_count` and the sums of each input, which may be one input twice, sums of windows add up to those of any
 * longer time, and give its means and covariances: what a Mahalanobis distance (1936) is computed from. Undefined
 * without a pair, and where it is beyond the largest double. Unit: the product of the inputs'.
 */
export const sumOfProducts: TwoInputs = {
  name: "sum_of_products",
  kind: "two inputs",
  summary:
    "The sum Σxy of the readings with equal event times: with `sum` and `pair_count`, what covariances and Mahalanobis distances over many windows are computed from.",
  unit: "input*other",
  evaluate(first, second) {
    const [x, y] = pairs(first, second);
    if (x.count === 0) return undefined;
    let sum = 0;
    let lost = 0;
    for (let i = 0; i < x.count; i++) {
      const product = x.value(i) * x.scale * (y.value(i) * y.scale);
      const next = sum + product;
      lost += Math.abs(sum) >= Math.abs(product) ? sum - next + product : product - next + sum;
      sum = next;
    }
    return (sum + lost) / x.scale / y.scale;
  },
};
