/**
 * What a device's earlier windows were like, as one number: `state[0]` is the level, `state[1]` how many windows are in
 * it. Each window counts once, by the mean of its readings.
 */

/** Takes a window's mean into the average of all: the running form, which cannot overflow before the level does. */
export function cumulate(state: Float64Array, mean: number): void {
  const [level = 0, windows = 0] = state;
  const count = windows + 1;
  const next = level + (mean - level) / count;
  state[0] = Number.isFinite(next) ? next : level * (windows / count) + mean / count;
  state[1] = count;
}

/** Takes a window's mean into an exponential average (Roberts 1959): level + alpha · (mean - level), from the first mean on. */
export function smooth(state: Float64Array, mean: number, alpha: number): void {
  const [level = 0, windows = 0] = state;
  const next = level + alpha * (mean - level);
  if (windows === 0) state[0] = mean;
  else state[0] = Number.isFinite(next) ? next : level * (1 - alpha) + mean * alpha;
  state[1] = windows + 1;
}

/** The nearest number to an infinity: a state that had overflowed for good would never come back. */
export function bounded(value: number): number {
  return Math.min(Math.max(value, -Number.MAX_VALUE), Number.MAX_VALUE);
}
