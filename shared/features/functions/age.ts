import type { Stateful } from "./function.ts";

/**
 * The seconds from the end of the device's first window to the end of this one: 0 in the first, and whatever the
 * readings are. A device whose clock was ahead at first has the age 0 until it is past that. Unit: seconds.
 *
 * State: whether there has been a window, the end of the first one.
 */
export const age: Stateful = {
  name: "age",
  kind: "stateful",
  summary: "The seconds from the end of the device's first window to the end of this one.",
  unit: "s",
  inputs: 0,
  doubles: () => 2,
  evaluate(_, state, { endUs }) {
    const [seen = 0, firstUs = 0] = state;
    return seen === 0 ? 0 : Math.max(0, endUs - firstUs) / 1_000_000;
  },
  advance(_, state, { endUs }) {
    if (state[0] === 1) return;
    state[0] = 1;
    state[1] = endUs;
  },
};
