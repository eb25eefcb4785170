import type { Samples } from "../samples.ts";
import { ANY_NUMBER, numberOf, oneOf, type FunctionSettings, type Stateful } from "./function.ts";

/** The place of the newest reading for which the condition holds; -1 where it holds for none. */
function newestHolding(input: Samples, settings: FunctionSettings): number {
  const above = settings["above"] === undefined ? Infinity : numberOf(settings, "above");
  const below = settings["below"] === undefined ? -Infinity : numberOf(settings, "below");
  for (let i = input.count - 1; i >= 0; i--) if (input.value(i) > above || input.value(i) < below) return i;
  return -1;
}

/** How many readings are later than a time, which an earlier window has counted to. */
function laterThan(input: Samples, timeUs: number): number {
  let later = 0;
  while (later < input.count && input.timeUs(input.count - 1 - later) > timeUs) later += 1;
  return later;
}

/** What is counted after this window; undefined where the condition has never held. */
function countAfter(input: Samples, state: Float64Array, settings: FunctionSettings): number | undefined {
  const [held = 0, counted = 0, throughUs = 0] = state;
  const newest = newestHolding(input, settings);
  const readings = settings["count"] === "readings";
  if (newest !== -1) return readings ? input.count - 1 - newest : 0;
  if (held === 0) return undefined;
  return counted + (readings ? laterThan(input, throughUs) : 1);
}

/**
 * How many windows or readings of the device there have been since a reading was last `above` a value, or `below` one;
 * `count` says which, windows where nothing is said. 0 in a window with such a reading (of readings: those after the
 * newest such one), and undefined until there has been one. A constant signal is always there or never. Windows that
 * overlap count each reading once, and a window without a reading of the input counts as a window. Unit: 1.
 *
 * State: whether it has ever held, the count, up to which event time readings are in it.
 */
export const countSince: Stateful = {
  name: "count_since",
  kind: "stateful",
  summary:
    "How many windows (or readings, by `count`) there have been since a reading was last `above` or `below` a value; none before that.",
  unit: "1",
  inputs: 1,
  settings: {
    above: { ...ANY_NUMBER, optional: true },
    below: { ...ANY_NUMBER, optional: true },
    count: oneOf(["windows", "readings"], "windows"),
  },
  refuse: (settings) =>
    (settings["above"] === undefined) === (settings["below"] === undefined)
      ? "count_since needs either above or below"
      : undefined,
  doubles: () => 3,
  evaluate: (input, state, { settings }) => countAfter(input, state, settings),
  advance(input, state, { settings }) {
    const count = countAfter(input, state, settings);
    if (count === undefined) return;
    state[0] = 1;
    state[1] = count;
    if (input.count > 0) state[2] = Math.max(state[2] ?? 0, input.timeUs(input.count - 1));
  },
};
