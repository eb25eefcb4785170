import { secondsBeyond } from "./beyond.ts";
import { ANY_NUMBER, numberOf, type OneInput } from "./function.ts";

/**
 * The seconds between the first reading and the last one during which the signal is below `threshold`, with straight
 * lines between neighbouring readings, also across a gap. A constant is below for the whole span or not at all; at the
 * threshold is not below. Undefined where all readings have one time. Unit: seconds.
 */
export const timeBelow: OneInput = {
  name: "time_below",
  kind: "one input",
  summary: "The seconds below `threshold`, linear between readings; none where all have one time.",
  unit: "s",
  settings: { threshold: ANY_NUMBER },
  evaluate: (input, { settings }) => secondsBeyond(input, numberOf(settings, "threshold"), -1),
};
