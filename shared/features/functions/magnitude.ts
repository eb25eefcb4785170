import type { Samples } from "../samples.ts";

/** The mean magnitude, Σ|x| / n, in scaled units; undefined without a reading. */
export function scaledMeanMagnitude(input: Samples): number | undefined {
  return input.count === 0 ? undefined : input.magnitudes().total / input.count;
}
