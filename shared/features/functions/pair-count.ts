import type { TwoInputs } from "./function.ts";
import { pairs } from "./pairs.ts";

/** The number of pairs of readings with equal event time; 0 where there is none. Unit: 1. */
export const pairCount: TwoInputs = {
  name: "pair_count",
  kind: "two inputs",
  summary: "The number of readings of two inputs with equal event times.",
  unit: "1",
  evaluate: (first, second) => pairs(first, second)[0].count,
};
