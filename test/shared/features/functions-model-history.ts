import {
  mean,
  sum,
  type Model,
  type ModelReading,
  type ModelSettings,
  type ModelWindow,
} from "./functions-model.ts";

/** What a function of the device's history gives, from the means of all windows up to now. */
type History = (
  means: readonly (number | undefined)[],
  settings: ModelSettings,
  windows: readonly ModelWindow[],
) => number | undefined;

const known = (means: readonly (number | undefined)[]): readonly number[] =>
  means.filter((x) => x !== undefined);
const number = (settings: ModelSettings, name: string): number => Number(settings[name]);

/** The weights of an exponential average written out. */
function weighted(means: readonly number[], alpha: number): number {
  return sum(means.map((x, i) => (i === 0 ? 1 : alpha) * (1 - alpha) ** (means.length - 1 - i) * x));
}

/** The variance of an exponential average, written out: alpha · Σ (1 - alpha)^k (x - m)², m being the average before x. */
function weightedSquares(means: readonly number[], alpha: number): number {
  return sum(
    means.map((x, i) => {
      const distance = i === 0 ? 0 : x - weighted(means.slice(0, i), alpha);
      return alpha * (1 - alpha) ** (means.length - i) * distance ** 2;
    }),
  );
}

/** Page's sums of each window with a mean: the largest of all sums that end with it. They begin anew after a change. */
function page(means: readonly number[], settings: ModelSettings): readonly { up: number; down: number }[] {
  const [drift, threshold] = [number(settings, "drift"), number(settings, "threshold")];
  const target = settings["target"] === undefined ? undefined : number(settings, "target");
  let since = 0;
  return means.map((_, i) => {
    const offs = means.slice(since, i + 1).map((x, k) => {
      const before = means.slice(since, since + k);
      return x - (target ?? (k === 0 ? x : mean(before)));
    });
    const largest = (sign: number): number =>
      Math.max(0, ...offs.map((_, k) => sum(offs.slice(k).map((off) => off * sign - drift))));
    const sums = { up: largest(1), down: largest(-1) };
    // Without a target the window of the change is the first of the new reference; its own distance from that is 0.
    if (Math.max(sums.up, sums.down) > threshold) since = target === undefined ? i : i + 1;
    return sums;
  });
}

/** All readings of the device that are after the newest one for which a condition holds; undefined where it never has. */
function since(
  windows: readonly ModelWindow[],
  holds: (x: number) => boolean,
): readonly ModelReading[] | undefined {
  const readings = windows.flatMap(({ a }) => a);
  const newest = readings.findLastIndex(({ x }) => holds(x));
  return newest === -1 ? undefined : readings.slice(newest + 1);
}

function level(before: readonly number[], settings: ModelSettings): number {
  const from = settings["from"] ?? "cumulative_mean";
  if (from === "previous") return before.at(-1) ?? NaN;
  if (from === "exponential_mean") return weighted(before, number(settings, "alpha"));
  return mean(from === "first_windows" ? before.slice(0, number(settings, "windows")) : before);
}

const HISTORY: Readonly<Record<string, History>> = {
  cumulative_mean: (means) => (known(means).length === 0 ? undefined : mean(known(means))),
  deviation: (means, settings) => {
    const [now, before] = [means.at(-1), known(means.slice(0, -1))];
    return now === undefined || before.length === 0 ? undefined : now - level(before, settings);
  },
  exponential_mean: (means, settings) =>
    known(means).length === 0 ? undefined : weighted(known(means), number(settings, "alpha")),
  exponential_variance: (means, settings) =>
    known(means).length === 0 ? undefined : weightedSquares(known(means), number(settings, "alpha")),
  cusum: (means, settings) => {
    const { up = 0, down = 0 } = page(known(means), settings).at(-1) ?? {};
    if (means.at(-1) === undefined) return undefined;
    return { up, down, both: Math.max(up, down) }[String(settings["side"] ?? "both")];
  },
  change_point: (means, settings) => {
    const { up = 0, down = 0 } = page(known(means), settings).at(-1) ?? {};
    if (means.at(-1) === undefined) return undefined;
    return up > number(settings, "threshold") ? 1 : down > number(settings, "threshold") ? -1 : 0;
  },
  count_since: (_, settings, windows) => {
    const holds = (x: number): boolean =>
      settings["above"] === undefined ? x < number(settings, "below") : x > number(settings, "above");
    if (settings["count"] === "readings") return since(windows, holds)?.length;
    const newest = windows.findLastIndex(({ a }) => a.some(({ x }) => holds(x)));
    return newest === -1 ? undefined : windows.length - 1 - newest;
  },
  age: (_, __, windows) => (windows.at(-1)?.endS ?? NaN) - (windows[0]?.endS ?? NaN),
  window_count: (means) => means.length,
  lag: (means, settings) => means.at(-1 - number(settings, "windows")),
  change: (means) => {
    const [now, before] = [means.at(-1), known(means.slice(0, -1)).at(-1)];
    return now === undefined || before === undefined ? undefined : now - before;
  },
  rate_of_change: (means, _, windows) => {
    const now = means.at(-1);
    const newest = means.slice(0, -1).findLastIndex((x) => x !== undefined);
    const before = means[newest];
    const seconds = (windows.at(-1)?.endS ?? NaN) - (windows[newest]?.endS ?? NaN);
    return now === undefined || before === undefined ? undefined : (now - before) / seconds;
  },
};

/** The function of that name over all windows of a device; undefined where the model has none. */
export function historyModel(name: string): Model | undefined {
  const history = Object.hasOwn(HISTORY, name) ? HISTORY[name] : undefined;
  if (history === undefined) return undefined;
  return (windows, settings) => {
    const means = windows.map(({ a }) => (a.length === 0 ? undefined : mean(a.map(({ x }) => x))));
    return history(means, settings, windows);
  };
}
