// Goal: every function is its formula, for any windows of a device. Method: random windows with gaps, equal times and
// windows without readings; beside the library a model that is written from the formulas, sees the whole history of the
// device each time and keeps no state.
import { FUNCTIONS } from "@sluice/shared/features/functions/registry.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { WAVEFORM } from "./functions-all.ts";
import { historyModel } from "./functions-model-history.ts";
import { windowModel, type ModelReading, type ModelWindow } from "./functions-model.ts";
import { run, ZERO_US } from "./functions-run.ts";
import type { TestFeature } from "./readings.ts";

type Settings = Readonly<Record<string, number | string>>;

const half = (min: number, max: number): fc.Arbitrary<number> =>
  fc.integer({ min: min * 2, max: max * 2 }).map((x) => x / 2);

const readings = fc
  .array(fc.record({ s: half(0, 9), x: fc.integer({ min: -20, max: 20 }) }), { maxLength: 12 })
  .map((list): ModelReading[] => list.toSorted((p, q) => p.s - q.s));

/** Windows of ten seconds in order, with gaps between them. */
const device = fc
  .array(fc.record({ a: readings, b: readings, gapS: fc.constantFrom(0, 0, 30, 5_000) }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((windows) => {
    let startS = 0;
    return windows.map(({ a, b, gapS }): ModelWindow => {
      startS += gapS + 10;
      const shift = (list: readonly ModelReading[]): ModelReading[] =>
        list.map(({ s, x }) => ({ s: s + startS, x }));
      return { startS, endS: startS + 10, a: shift(a), b: shift(b) };
    });
  });

const alpha = fc.record({ alpha: fc.constantFrom(0.1, 0.5, 1) });
const threshold = fc.record({ threshold: half(-10, 10) });
const change = {
  drift: half(0, 4),
  // Between the sums that can be, so that rounding decides nothing.
  threshold: half(0, 20).map((x) => x + 0.1371),
  target: fc.integer({ min: -5, max: 5 }),
};
const given: { requiredKeys: ("drift" | "threshold")[] } = { requiredKeys: ["drift", "threshold"] };
const count = fc.constantFrom("windows", "readings");
const NO_SETTINGS = fc.constant<Settings>({});

/** Settings of the functions that take some; of `deviation`, its `from` among them. */
const SETTINGS: Readonly<Record<string, fc.Arbitrary<Settings>>> = {
  quantile: fc.record({ q: fc.double({ min: 0, max: 1, noNaN: true }) }),
  time_above: threshold,
  time_below: threshold,
  missing_share: fc.record({ rate_hz: fc.constantFrom(0.5, 1, 2) }),
  entropy: fc.oneof(
    fc.record({ bins: fc.integer({ min: 2, max: 20 }) }),
    fc.record({ bins: fc.constantFrom(2, 4, 8), low: fc.constant(-8), high: fc.constant(8) }),
  ),
  exponential_mean: alpha,
  exponential_variance: alpha,
  deviation: fc.oneof(
    NO_SETTINGS,
    fc.record({ from: fc.constantFrom("cumulative_mean", "previous") }),
    fc.record({ from: fc.constant("exponential_mean"), alpha: fc.constantFrom(0.1, 0.5, 1) }),
    fc.record({ from: fc.constant("first_windows"), windows: fc.integer({ min: 1, max: 4 }) }),
  ),
  cusum: fc.record({ ...change, side: fc.constantFrom("up", "down", "both") }, given),
  change_point: fc.record(change, given),
  count_since: fc.oneof(
    fc.record({ above: half(-20, 20), count }),
    fc.record({ below: half(-20, 20), count }),
  ),
  lag: fc.record({ windows: fc.integer({ min: 1, max: 4 }) }),
};

const names = [...FUNCTIONS.keys()].filter(
  (name) => windowModel(name) !== undefined || historyModel(name) !== undefined,
);

/** Near in the last digits, where the values are some tens; the steps of the model of time above are a thousandth. */
function near(name: string, value: number): unknown {
  return expect.closeTo(value, name.startsWith("time_") && name !== "time_weighted_mean" ? 1 : 7);
}

test.each(names)("%s is its formula for any windows of a device", (name) => {
  const model = windowModel(name) ?? historyModel(name);
  const fn = FUNCTIONS.get(name);
  const of =
    fn?.kind === "two inputs" ? ["a", "b"] : fn?.kind === "stateful" && fn.inputs === 0 ? undefined : "a";
  fc.assert(
    fc.property(device, SETTINGS[name] ?? NO_SETTINGS, (windows, { from, ...settings }) => {
      const feature: TestFeature = {
        fn: name,
        of,
        with: settings,
        ...(typeof from === "string" ? { from } : {}),
      };
      const found = run(
        feature,
        windows.map(({ a, b, startS, endS }) => ({
          startS,
          endS,
          a: a.map(({ x }) => x),
          aS: a.map(({ s }) => s),
          b: b.map(({ x }) => x),
          bS: b.map(({ s }) => s),
        })),
      );
      const all = from === undefined ? settings : { ...settings, from };
      const expected = windows.map((_, i) => model?.(windows.slice(0, i + 1), all));
      expect(found).toEqual(expected.map((value) => (value === undefined ? undefined : near(name, value))));
    }),
  );
});

test("the model has every function but those of waveforms and of the calendar", () => {
  const others = [...FUNCTIONS.values()].filter(
    ({ name, kind }) => !names.includes(name) && kind !== "no input",
  );
  expect(others.filter(({ name }) => !WAVEFORM.test(name)).map(({ name }) => name)).toEqual([]);
});

test("the calendar says what the language's own dates say, in any zone, at any time from 1980 to 2100", () => {
  const zones = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Auckland", "+05:30"];
  fc.assert(
    fc.property(
      fc.integer({ min: 315_532_800, max: 4_102_444_800 }),
      fc.constantFrom(...zones),
      (second, zone) => {
        const endS = second - ZERO_US / 1_000_000 + 1;
        const of = (fn: string): number | undefined =>
          run({ fn, of: undefined, with: { zone } }, [{ startS: endS - 60, endS }])[0];
        const date = new Date(second * 1_000);
        const say = (options: Intl.DateTimeFormatOptions): string =>
          new Intl.DateTimeFormat("sv-SE", { timeZone: zone, ...options }).format(date);
        const day = Date.parse(say({ year: "numeric", month: "2-digit", day: "2-digit" }));
        const weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].indexOf(
          new Intl.DateTimeFormat("en-GB", { timeZone: zone, weekday: "short" }).format(date),
        );
        const newYear = Date.UTC(new Date(day).getUTCFullYear(), 0, 1);
        expect(of("hour")).toBe(Number(say({ hour: "2-digit", hourCycle: "h23" })));
        expect(of("weekday")).toBe(weekday + 1);
        expect(of("is_weekend")).toBe(Number(weekday >= 5));
        expect(of("day_of_year")).toBe((day - newYear) / 86_400_000 + 1);
        const clock = say({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
        const [hour = NaN, minute = NaN, seconds = NaN] = clock.split(":").map(Number);
        const turn = ((hour * 60 + minute) * 60 + seconds) / 86_400;
        expect(of("day_sine")).toBeCloseTo(Math.sin(2 * Math.PI * turn), 12);
        expect(of("day_cosine")).toBeCloseTo(Math.cos(2 * Math.PI * turn), 12);
        expect(of("week_sine")).toBeCloseTo(Math.sin((2 * Math.PI * (weekday + turn)) / 7), 12);
        expect(of("week_cosine")).toBeCloseTo(Math.cos((2 * Math.PI * (weekday + turn)) / 7), 12);
        const year = Date.UTC(new Date(day).getUTCFullYear() + 1, 0, 1) - newYear;
        const yearTurn = ((day - newYear) / 86_400_000 + turn) / (year / 86_400_000);
        expect(of("year_sine")).toBeCloseTo(Math.sin(2 * Math.PI * yearTurn), 12);
        expect(of("year_cosine")).toBeCloseTo(Math.cos(2 * Math.PI * yearTurn), 12);
      },
    ),
  );
});
