import type { Samples } from "../samples.ts";
import type { OneInput } from "./function.ts";

/** Whether there are readings of three times or more, which a parabola needs. */
function hasThreeTimes(input: Samples): boolean {
  let times = 1;
  for (let i = 1; i < input.count && times < 3; i++) if (input.timeUs(i) !== input.timeUs(i - 1)) times += 1;
  return input.count > 0 && times >= 3;
}

/**
 * The second derivative, 2c of the least-squares parabola a + b t + c t² over event time in seconds.
 *
 * By polynomials that are orthogonal over the times (Forsythe 1957), with p = u² - u Σu³ / Σu² - Σu² / n and u the time
 * from the mean one: c = Σ p x / Σ p². Undefined for fewer than three different times; 0 for a constant and about 0 for
 * a straight line; gaps only weigh by where the readings are. Unit: the input's per second squared.
 */
export const curvature: OneInput = {
  name: "curvature",
  kind: "one input",
  summary: "The second derivative of the least-squares parabola; none with fewer than three different times.",
  unit: "input/s^2",
  evaluate(input) {
    if (!hasThreeTimes(input)) return undefined;
    const { count, scale } = input;
    // In spans of the readings, from the mean time on, so that the powers are near 1.
    const origin = input.timeUs(0);
    const spanUs = input.timeUs(count - 1) - origin;
    let total = 0;
    for (let i = 0; i < count; i++) total += (input.timeUs(i) - origin) / spanUs;
    const middle = total / count;
    const time = (i: number): number => (input.timeUs(i) - origin) / spanUs - middle;
    let [squares, cubes] = [0, 0];
    for (let i = 0; i < count; i++) {
      const u = time(i);
      squares += u * u;
      cubes += u * u * u;
    }
    let [products, weights] = [0, 0];
    for (let i = 0; i < count; i++) {
      const u = time(i);
      const p = u * u - (u * cubes) / squares - squares / count;
      products += p * input.deviation(i);
      weights += p * p;
    }
    const spanS = spanUs / 1_000_000;
    return (2 * products) / weights / spanS / spanS / scale;
  },
};
