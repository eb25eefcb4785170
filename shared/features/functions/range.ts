import type { OneInput } from "./function.ts";

/** Largest minus smallest value: peak to peak (ISO 2041). Unit: the input's. */
export const range: OneInput = {
  name: "range",
  kind: "one input",
  summary: "The largest minus the smallest value.",
  unit: "input",
  evaluate(input) {
    const [min, max] = [input.min(), input.max()];
    return min === undefined || max === undefined ? undefined : max - min;
  },
};
