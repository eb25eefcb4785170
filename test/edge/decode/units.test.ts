import * as fc from "fast-check";
import { expect, test } from "vitest";
import { UNITS } from "../../../edge/decode/unit-table.ts";
import { conversion } from "../../../edge/decode/units.ts";

const convert = (value: number, from: string, to: string): number | undefined =>
  conversion(from, to)?.(value);

/** The distance from a number to the next larger one of its size. */
const ulp = (value: number): number => 2 ** (Math.floor(Math.log2(Math.max(Math.abs(value), 1e-300))) - 52);

test.each([
  [0, "Cel", "K", 273.15],
  [32, "°F", "°C", 0],
  [212, "degF", "degC", 100],
  [100, "Cel", "°F", 212],
  [-459.67, "°F", "K", 0],
  [1, "bar", "kPa", 100],
  [250_000, "Pa", "bar", 2.5],
  [1, "psi", "Pa", 6_894.757293168361],
  [1, "atm", "mbar", 1_013.25],
  [36, "km/h", "m/s", 10],
  [1_500, "rpm", "Hz", 25],
  [25, "Hz", "rpm", 1_500],
  [60, "rpm", "rad/s", 2 * Math.PI],
  [1, "g", "m/s2", 9.80665],
  [9.80665, "m/s²", "g", 1],
  [1_500, "g", "kg", 1.5],
  [20, "C", "K", 293.15],
  [1, "Ah", "C", 3_600],
  [60, "l/min", "m3/h", 3.6],
  [3.6, "m³/h", "L/min", 60],
  [5, "mA", "A", 0.005],
  [1, "kWh", "J", 3_600_000],
  [3_600_000, "W.s", "kWh", 1],
  [3_600, "A.s", "Ah", 1],
  [50, "%", "/", 0.5],
  [1, "in/s", "mm/s", 25.4],
  [1, "gal", "l", 3.785411784],
])("%d %s in %s is %d", (value, from, to, expected) => {
  const converted = convert(value, from, to);
  expect(Math.abs((converted ?? Number.NaN) - expected)).toBeLessThanOrEqual(ulp(expected));
});

test.each([
  ["bar", "Cel"],
  ["V", "A"],
  ["kW", "kWh"],
  ["Nm", "J"],
  ["%", "%RH"],
  ["bar", "furlong"],
  ["furlong", "bar"],
  ["Bar", "bar"],
  ["", "bar"],
])("%s and %s do not go together", (from, to) => {
  expect(conversion(from, to)).toBeUndefined();
});

/** Any two units of one dimension. */
const pair = fc
  .constantFrom(...new Set([...UNITS.values()].flatMap((meanings) => [...meanings.keys()])))
  .chain((dimension) => {
    const symbols = [...UNITS].filter(([, meanings]) => meanings.has(dimension)).map(([symbol]) => symbol);
    return fc.tuple(fc.constantFrom(...symbols), fc.constantFrom(...symbols));
  });
/** Far enough from the smallest doubles, which have fewer digits. */
const amount = fc
  .double({ min: -1e12, max: 1e12, noNaN: true })
  .map((value) => (Math.abs(value) < 1e-200 ? 0 : value));

test("there and back again is within two units in the last place, of the value or of the zero's distance", () => {
  fc.assert(
    fc.property(pair, amount, ([from, to], value) => {
      const there = convert(value, from, to) ?? Number.NaN;
      const back = convert(there, to, from) ?? Number.NaN;
      const isAffine = [from, to].some(
        (symbol) => (UNITS.get(symbol)?.get("temperature")?.zeroHundredths ?? 0) !== 0,
      );
      const size = isAffine ? Math.max(Math.abs(value), 500) : value;
      expect(Math.abs(back - value)).toBeLessThanOrEqual(2 * ulp(size));
    }),
    { numRuns: 20_000 },
  );
});

test("a unit is exactly itself under each of its names, known or not, and for any value", () => {
  fc.assert(
    fc.property(fc.string(), fc.double(), (unit, value) => {
      expect(convert(value, unit, unit)).toBe(value);
    }),
  );
  for (const names of [
    ["Cel", "°C"],
    ["l/min", "L/min", "lpm"],
    ["Hz", "1/s"],
    ["g", "gn"],
  ])
    for (const name of names) expect(convert(0.1, names[0] ?? "", name)).toBe(0.1);
});

test("a larger value stays larger in whatever unit", () => {
  fc.assert(
    fc.property(pair, amount, amount, ([from, to], a, b) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      expect(convert(low, from, to)).toBeLessThanOrEqual(convert(high, from, to) ?? Number.NaN);
    }),
  );
});
