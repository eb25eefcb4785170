import { Samples } from "../samples.ts";
import type { OneInput } from "./function.ts";
import { quantileOf } from "./quantile.ts";

/**
 * The median absolute deviation, median |x - median x| (Hampel 1974), as it is: 1.4826 times it estimates the standard
 * deviation of normal noise. 0 for a constant, for a single reading and where more than half of the readings are one
 * value. Undefined without a reading. Unit: the input's.
 */
export const mad: OneInput = {
  name: "mad",
  kind: "one input",
  summary: "The median absolute deviation from the median, not multiplied by 1.4826.",
  unit: "input",
  evaluate(input) {
    const middle = quantileOf(input, 0.5);
    if (middle === undefined) return undefined;
    const { count, scale } = input;
    const distances = new Float64Array(count);
    for (let i = 0; i < count; i++) distances[i] = Math.abs(input.value(i) * scale - middle * scale);
    const scaled = quantileOf(Samples.of(distances), 0.5);
    return scaled === undefined ? undefined : scaled / scale;
  },
};
