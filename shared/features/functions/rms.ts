import type { Samples } from "../samples.ts";
import type { OneInput } from "./function.ts";

/** The root of the mean square in scaled units; undefined without a reading. */
export function scaledRms(input: Samples): number | undefined {
  if (input.count === 0) return undefined;
  const { scale, count } = input;
  let squares = 0;
  for (let i = 0; i < count; i++) {
    const value = input.value(i) * scale;
    squares += value * value;
  }
  return Math.sqrt(squares / count);
}

/** The root mean square, √(Σx² / n): of vibration, its severity (ISO 20816-1). Unit: the input's. */
export const rms: OneInput = {
  name: "rms",
  kind: "one input",
  summary: "The root mean square, √(Σx² / n).",
  unit: "input",
  evaluate(input) {
    const scaled = scaledRms(input);
    return scaled === undefined ? undefined : scaled / input.scale;
  },
};
