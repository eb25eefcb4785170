import type { OneInput } from "./function.ts";
import { scaledArea, spanUsOf } from "./trapezoid.ts";

/**
 * The integral over event time from the first reading to the last one by the trapezoidal rule: straight lines between
 * neighbouring readings, also across a gap, and nothing before the first or after the last. A constant gives itself
 * times the span. Undefined where all readings have one time. Unit: the input's times seconds.
 */
export const integral: OneInput = {
  name: "integral",
  kind: "one input",
  summary:
    "The trapezoidal integral over event time from the first reading to the last; none where all have one time.",
  unit: "input*s",
  evaluate: (input) => (spanUsOf(input) === 0 ? undefined : scaledArea(input) / 1_000_000 / input.scale),
};
