import { naturalLog } from "../logarithm.ts";
import type { Samples } from "../samples.ts";
import { numberOf, type FunctionSettings, type OneInput } from "./function.ts";

const LN2 = naturalLog(2);

/** Where the bounds of the histogram may be, so that their distance is a double. */
const BOUND = { min: -1e300, max: 1e300, optional: true };

/** How many readings are in each bin. */
function histogram(input: Samples, settings: FunctionSettings): Float64Array {
  const bins = numberOf(settings, "bins");
  const counts = new Float64Array(bins);
  const own = settings["low"] === undefined;
  // The window's own extremes can be further apart than a double, but not once they are scaled.
  const scale = own ? input.scale : 1;
  const low = own ? (input.min() ?? 0) * scale : numberOf(settings, "low");
  const high = own ? (input.max() ?? 0) * scale : numberOf(settings, "high");
  for (let i = 0; i < input.count; i++) {
    const place = low === high ? 0 : Math.floor(((input.value(i) * scale - low) / (high - low)) * bins);
    const bin = Math.min(Math.max(place, 0), bins - 1);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

/**
 * Shannon's entropy (1948) of a histogram, -Σ p log₂ p with p the share of each bin: 0 where all readings are in one
 * bin, log₂ `bins` where they are spread evenly.
 *
 * The `bins` are of one width from `low` to `high`, each with its lower bound and the last one with `high` too; readings
 * beyond are in the outer ones. Without `low` and `high` they are the window's smallest and largest value, which makes
 * it a measure of shape alone. 0 for a constant and for a single reading; undefined without a reading. Its logarithm has
 * the same bits on every machine (`naturalLog`). Unit: bit.
 */
export const entropy: OneInput = {
  name: "entropy",
  kind: "one input",
  summary:
    "Shannon's entropy of a histogram of `bins` equal bins from `low` to `high`, else from the window's smallest to its largest value.",
  unit: "bit",
  settings: { bins: { min: 2, max: 1_024, whole: true }, low: BOUND, high: BOUND },
  refuse(settings) {
    const [low, high] = [settings["low"], settings["high"]];
    if ((low === undefined) !== (high === undefined)) return "entropy needs both low and high, or neither";
    return low === undefined || high === undefined || low < high
      ? undefined
      : `low ${low} must be below high ${high}`;
  },
  evaluate(input, { settings }) {
    const { count } = input;
    if (count === 0) return undefined;
    let sum = 0;
    for (const inBin of histogram(input, settings)) {
      if (inBin === count) return 0;
      if (inBin > 1) sum += inBin * naturalLog(inBin);
    }
    return Math.max(0, (naturalLog(count) - sum / count) / LN2);
  },
};
