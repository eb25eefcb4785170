import type { Samples } from "../samples.ts";

/**
 * The area under the straight lines between neighbouring readings, Σ (x_i + x_(i+1)) / 2 · (t_(i+1) - t_i), in
 * microseconds and scaled units; the sum is compensated (Neumaier 1974). 0 where all readings have one time.
 */
export function scaledArea(input: Samples): number {
  const { scale } = input;
  let sum = 0;
  let lost = 0;
  for (let i = 1; i < input.count; i++) {
    const height = (input.value(i - 1) * scale + input.value(i) * scale) / 2;
    const area = height * (input.timeUs(i) - input.timeUs(i - 1));
    const next = sum + area;
    lost += Math.abs(sum) >= Math.abs(area) ? sum - next + area : area - next + sum;
    sum = next;
  }
  return sum + lost;
}

/** From the first reading to the last one; 0 where all have one time. */
export function spanUsOf(input: Samples): number {
  return input.count === 0 ? 0 : input.timeUs(input.count - 1) - input.timeUs(0);
}
