import type { Samples } from "../samples.ts";
import type { OneInput } from "./function.ts";

/** The root of the mean square in scaled units; undefined without a reading. */
export function scaledRms(input: Samples): number | undefined {
  return input.count === 0 ? undefined : Math.sqrt(input.magnitudes().squares / input.count);
}

/**
 * The root mean square, √(Σx² / n): of vibration, its severity (ISO 20816-1). The magnitude of a constant and of a single
 * reading, up to rounding; squares neither overflow nor vanish, because values are scaled. Undefined without a reading.
 * Unit: the input's.
 */
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
