import type { Stateful } from "./function.ts";

/**
 * How many windows of the device there have been, this one included: 1 in the first, and whatever the readings are. Gaps
 * have no windows and count nothing. Unit: 1. State: the number of windows before.
 */
export const windowCount: Stateful = {
  name: "window_count",
  kind: "stateful",
  summary: "How many windows of the device there have been, this one included.",
  unit: "1",
  inputs: 0,
  doubles: () => 1,
  evaluate: (_, state) => (state[0] ?? 0) + 1,
  advance(_, state) {
    state[0] = (state[0] ?? 0) + 1;
  },
};
