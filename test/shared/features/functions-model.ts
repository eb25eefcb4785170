/** A reading of the model: seconds of event time, and the value. */
export interface ModelReading {
  readonly s: number;
  readonly x: number;
}

/** A window of the model, with its readings in order of event time. */
export interface ModelWindow {
  readonly startS: number;
  readonly endS: number;
  readonly a: readonly ModelReading[];
  readonly b: readonly ModelReading[];
}

export type ModelSettings = Readonly<Record<string, number | string>>;

/** What a function should give for the last of a device's windows: it sees all of them, and keeps nothing. */
export type Model = (windows: readonly ModelWindow[], settings: ModelSettings) => number | undefined;

type OneWindow = (
  values: readonly number[],
  readings: readonly ModelReading[],
  call: { readonly settings: Readonly<Record<string, number>>; readonly window: ModelWindow },
) => number | undefined;

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
export const mean = (values: readonly number[]): number => sum(values) / values.length;
const moment = (values: readonly number[], power: number): number =>
  mean(values.map((value) => (value - mean(values)) ** power));
const sorted = (values: readonly number[]): readonly number[] => [...values].sort((x, y) => x - y);
const median = (values: readonly number[]): number => quantile(values, 0.5);
const rms = (values: readonly number[]): number => Math.sqrt(mean(values.map((value) => value ** 2)));
const peak = (values: readonly number[]): number => Math.max(...values.map(Math.abs));
const magnitude = (values: readonly number[]): number => mean(values.map(Math.abs));

function quantile(values: readonly number[], q: number): number {
  const place = (values.length - 1) * q;
  const [low = NaN, high = low] = sorted(values).slice(Math.floor(place), Math.floor(place) + 2);
  return low + (high - low) * (place % 1);
}

const constant = (values: readonly number[]): boolean => values.every((value) => value === values[0]);
const times = (readings: readonly ModelReading[]): number => new Set(readings.map(({ s }) => s)).size;

/** Sums over each line between neighbours, given by its ends. */
function overLines(
  readings: readonly ModelReading[],
  part: (from: ModelReading, to: ModelReading) => number,
): number | undefined {
  if (times(readings) < 2) return undefined;
  return sum(
    readings.slice(1).map((to, i) => {
      const from = readings[i] ?? to;
      return part(from, to);
    }),
  );
}

/** How much of a line is above a threshold, counted in a thousand steps: rough, and nothing like the library's way. */
function aboveOf(threshold: number, side: number): (from: ModelReading, to: ModelReading) => number {
  return (from, to) => {
    let above = 0;
    for (let i = 0; i < 1_000; i++)
      if ((from.x + ((to.x - from.x) * (i + 0.5)) / 1_000) * side > threshold * side) above += 1;
    return ((to.s - from.s) * above) / 1_000;
  };
}

/** Cramer's rule on the normal equations of a + b t + c t². */
function parabola(readings: readonly ModelReading[]): number | undefined {
  if (times(readings) < 3) return undefined;
  const origin = mean(readings.map(({ s }) => s));
  const power = (k: number, of: (reading: ModelReading) => number = () => 1): number =>
    sum(readings.map((reading) => (reading.s - origin) ** k * of(reading)));
  const rows = [0, 1, 2].map((k) => [power(k), power(k + 1), power(k + 2)] as const);
  const right = [0, 1, 2].map((k) => power(k, ({ x }) => x));
  const determinant = (m: readonly (readonly [number, number, number])[]): number => {
    const [[a, b, c], [d, e, f], [g, h, i]] = [m[0] ?? [0, 0, 0], m[1] ?? [0, 0, 0], m[2] ?? [0, 0, 0]];
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  };
  const replaced = rows.map(([x, y], k) => [x, y, right[k] ?? NaN] as const);
  return (2 * determinant(replaced)) / determinant(rows);
}

function slope(readings: readonly ModelReading[]): number | undefined {
  if (times(readings) < 2) return undefined;
  const [t, x] = [mean(readings.map(({ s }) => s)), mean(readings.map((reading) => reading.x))];
  return (
    sum(readings.map((reading) => (reading.s - t) * (reading.x - x))) /
    sum(readings.map((reading) => (reading.s - t) ** 2))
  );
}

function entropy(values: readonly number[], bins: number, [low, high]: readonly [number, number]): number {
  const shares = new Map<number, number>();
  for (const value of values) {
    const bin = high === low ? 0 : Math.floor(((value - low) / (high - low)) * bins);
    const inside = Math.max(0, Math.min(bins - 1, bin));
    shares.set(inside, (shares.get(inside) ?? 0) + 1 / values.length);
  }
  return -sum([...shares.values()].map((share) => share * Math.log2(share)));
}

const ONE_INPUT: Readonly<Record<string, OneWindow>> = {
  mean,
  sum,
  rms,
  peak,
  median,
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
  range: (values) => Math.max(...values) - Math.min(...values),
  variance: (x) => (x.length < 2 ? undefined : (moment(x, 2) * x.length) / (x.length - 1)),
  std: (x) => (x.length < 2 ? undefined : Math.sqrt((moment(x, 2) * x.length) / (x.length - 1))),
  crest_factor: (x) => (rms(x) === 0 ? undefined : peak(x) / rms(x)),
  shape_factor: (x) => (rms(x) === 0 ? undefined : rms(x) / magnitude(x)),
  impulse_factor: (x) => (rms(x) === 0 ? undefined : peak(x) / magnitude(x)),
  skewness: (x) => (x.length < 3 || constant(x) ? undefined : moment(x, 3) / moment(x, 2) ** 1.5),
  kurtosis: (x) => (x.length < 4 || constant(x) ? undefined : moment(x, 4) / moment(x, 2) ** 2),
  quantile: (x, _, { settings }) => quantile(x, settings["q"] ?? NaN),
  iqr: (x) => quantile(x, 0.75) - quantile(x, 0.25),
  mad: (x) => median(x.map((value) => Math.abs(value - median(x)))),
  first: ([first]) => first,
  last: (x) => x.at(-1),
  delta: (x) => (x.length < 2 ? undefined : (x.at(-1) ?? NaN) - (x[0] ?? NaN)),
  slope: (_, readings) => slope(readings),
  curvature: (_, readings) => parabola(readings),
  zero_crossings: (x) => {
    const signs = x.map(Math.sign).filter((sign) => sign !== 0);
    return signs.filter((sign, i) => i > 0 && sign !== signs[i - 1]).length;
  },
  time_above: (_, readings, { settings }) => overLines(readings, aboveOf(settings["threshold"] ?? NaN, 1)),
  time_below: (_, readings, { settings }) => overLines(readings, aboveOf(settings["threshold"] ?? NaN, -1)),
  integral: (_, readings) => overLines(readings, (from, to) => ((from.x + to.x) / 2) * (to.s - from.s)),
  time_weighted_mean: (x, readings) => {
    const area = overLines(readings, (from, to) => ((from.x + to.x) / 2) * (to.s - from.s));
    return area === undefined ? mean(x) : area / ((readings.at(-1)?.s ?? 0) - (readings[0]?.s ?? 0));
  },
  staleness: (_, readings, { window }) => window.endS - (readings.at(-1)?.s ?? NaN),
  entropy: (x, _, { settings }) =>
    entropy(x, settings["bins"] ?? NaN, [
      settings["low"] ?? Math.min(...x),
      settings["high"] ?? Math.max(...x),
    ]),
};

type TwoWindows = (
  pairs: readonly (readonly [number, number])[],
  x: readonly number[],
  y: readonly number[],
) => number | undefined;

function covariance(pairs: readonly (readonly [number, number])[]): number {
  const [x, y] = [mean(pairs.map(([value]) => value)), mean(pairs.map(([, value]) => value))];
  return sum(pairs.map(([a, b]) => (a - x) * (b - y))) / (pairs.length - 1);
}

const TWO_INPUTS: Readonly<Record<string, TwoWindows>> = {
  pair_count: (pairs) => pairs.length,
  sum_of_products: (pairs) => (pairs.length === 0 ? undefined : sum(pairs.map(([x, y]) => x * y))),
  covariance: (pairs) => (pairs.length < 2 ? undefined : covariance(pairs)),
  correlation: (pairs) => {
    if (pairs.length < 2) return undefined;
    const spread = (values: readonly number[]): number => covariance(values.map((x) => [x, x]));
    const spreads = spread(pairs.map(([x]) => x)) * spread(pairs.map(([, y]) => y));
    return spreads < 1e-9 ? undefined : covariance(pairs) / Math.sqrt(spreads);
  },
  ratio: (_, x, y) => (x.length === 0 || y.length === 0 || sum(y) === 0 ? undefined : mean(x) / mean(y)),
  difference: (_, x, y) => (x.length === 0 || y.length === 0 ? undefined : mean(x) - mean(y)),
};

/** Readings of one time pair up in their order. */
function pairsOf({ a, b }: ModelWindow): (readonly [number, number])[] {
  return [...new Set(a.map(({ s }) => s))].flatMap((s) => {
    const others = b.filter((reading) => reading.s === s);
    return a
      .filter((reading) => reading.s === s)
      .flatMap(({ x }, i) => {
        const other = others[i];
        return other === undefined ? [] : [[x, other.x] as const];
      });
  });
}

/** The function of that name over one window; undefined where the model has none. */
export function windowModel(name: string): Model | undefined {
  const one = Object.hasOwn(ONE_INPUT, name) ? ONE_INPUT[name] : undefined;
  const two = Object.hasOwn(TWO_INPUTS, name) ? TWO_INPUTS[name] : undefined;
  if (name === "count") return (windows) => windows.at(-1)?.a.length;
  if (name === "missing_share")
    return (windows, settings) => {
      const { a = [], startS = NaN, endS = NaN } = windows.at(-1) ?? {};
      return Math.max(0, 1 - a.length / ((endS - startS) * Number(settings["rate_hz"])));
    };
  if (one === undefined && two === undefined) return undefined;
  return (windows, settings) => {
    const window = windows.at(-1);
    if (window === undefined) return undefined;
    const [x, y] = [window.a.map((reading) => reading.x), window.b.map((reading) => reading.x)];
    if (two !== undefined) return two(pairsOf(window), x, y);
    const numbers = Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, Number(value)]));
    return x.length === 0 ? undefined : one?.(x, window.a, { settings: numbers, window });
  };
}
