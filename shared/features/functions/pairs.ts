import { Samples } from "../samples.ts";

/** The values of two inputs that have the same event time; several of one time pair up in their order. */
export function pairs(first: Samples, second: Samples): readonly [Samples, Samples] {
  const room = Math.min(first.count, second.count);
  const [x, y] = [new Float64Array(room), new Float64Array(room)];
  let count = 0;
  for (let i = 0, j = 0; i < first.count && j < second.count;) {
    const [a, b] = [first.timeUs(i), second.timeUs(j)];
    if (a === b) {
      x[count] = first.value(i);
      y[count] = second.value(j);
      count += 1;
    }
    if (a <= b) i += 1;
    if (b <= a) j += 1;
  }
  return [Samples.of(x.subarray(0, count)), Samples.of(y.subarray(0, count))];
}
