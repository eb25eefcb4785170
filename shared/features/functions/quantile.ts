import type { Samples } from "../samples.ts";
import { numberOf, type OneInput } from "./function.ts";

/** The value below which the share `q` lies: linear between the neighbours at (n - 1) q (type 7 of Hyndman & Fan 1996). */
export function quantileOf(input: Samples, q: number): number | undefined {
  if (input.count === 0) return undefined;
  const sorted = input.sorted();
  const place = (sorted.length - 1) * q;
  const below = Math.floor(place);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  const share = place - below;
  if (share === 0 || low === high) return low;
  // Each side weighted by itself, because high - low can overflow.
  return Math.min(Math.max(low * (1 - share) + high * share, low), high);
}

/**
 * The quantile `q` (0 to 1): linear between the neighbours at place (n - 1) q in order, type 7 of Hyndman & Fan (1996).
 * Never beyond the smallest and the largest value; exactly the value of a constant and of a single reading; undefined
 * without one. Unit: the input's.
 */
export const quantile: OneInput = {
  name: "quantile",
  kind: "one input",
  summary: "The value below which the share `q` lies, linear between neighbours (type 7 of Hyndman and Fan).",
  unit: "input",
  settings: { q: { min: 0, max: 1 } },
  evaluate: (input, { settings }) => quantileOf(input, numberOf(settings, "q")),
};
