import type { Samples } from "../samples.ts";

/** The mean magnitude, Σ|x| / n, in scaled units; undefined without a reading. */
export function scaledMeanMagnitude(input: Samples): number | undefined {
  if (input.count === 0) return undefined;
  const { scale, count } = input;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.abs(input.value(i) * scale);
  return sum / count;
}
