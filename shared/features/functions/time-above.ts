import { secondsBeyond } from "./beyond.ts";
import { ANY_NUMBER, numberOf, type OneInput } from "./function.ts";

/**
 * The seconds between the first reading and the last one during which the signal is above `threshold`, with straight
 * lines between neighbouring readings, also across a gap. A constant is above for the whole span or not at all; at the
 * threshold is not above. Undefined where all readings have one time. Unit: seconds.
 */
export const timeAbove: OneInput = {
  name: "time_above",
  kind: "one input",
  summary: "The seconds above `threshold`, linear between readings; none where all have one time.",
  unit: "s",
  settings: { threshold: ANY_NUMBER },
  evaluate: (input, { settings }) => secondsBeyond(input, numberOf(settings, "threshold"), 1),
};
