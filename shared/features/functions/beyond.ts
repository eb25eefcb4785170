import type { Samples } from "../samples.ts";
import { spanUsOf } from "./trapezoid.ts";

/**
 * The seconds that a signal is above a threshold (`side` 1) or below it (-1), on straight lines between neighbouring
 * readings: where a line crosses the threshold, its share counts. Undefined where all readings have one time.
 */
export function secondsBeyond(input: Samples, threshold: number, side: 1 | -1): number | undefined {
  const spanUs = spanUsOf(input);
  if (spanUs === 0) return undefined;
  const { scale } = input;
  let sumUs = 0;
  for (let i = 1; i < input.count; i++) {
    const [from, to] = [input.value(i - 1) * side, input.value(i) * side];
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    if (high <= threshold * side) continue;
    const lengthUs = input.timeUs(i) - input.timeUs(i - 1);
    // Scaled, because high - low can overflow.
    const share =
      low >= threshold * side ? 1 : (high * scale - threshold * side * scale) / (high * scale - low * scale);
    sumUs += lengthUs * share;
  }
  return Math.min(sumUs, spanUs) / 1_000_000;
}
