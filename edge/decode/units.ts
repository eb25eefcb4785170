import { type Scale, UNITS } from "./unit-table.ts";

/** Turns a value in one unit into the same in another. */
export type Conversion = (value: number) => number;

const same: Conversion = (value) => value;

/**
 * How a value in unit `from` becomes one in unit `to`; undefined where that cannot be: they measure different things,
 * or one of them is not in the table. Any unit is the same as itself.
 *
 * Affine, by one factor as a fraction of whole numbers where the units are defined by such: there and back again is
 * within two units in the last place, of the value or of the zero's distance, whichever is larger.
 */
export function conversion(from: string, to: string): Conversion | undefined {
  if (from === to) return same;
  const [own, others] = [UNITS.get(from), UNITS.get(to)];
  if (own === undefined || others === undefined) return undefined;
  for (const [dimension, scale] of own) {
    const target = others.get(dimension);
    if (target !== undefined) return between(scale, target);
  }
  return undefined;
}

function between(from: Scale, to: Scale): Conversion {
  const [n, d] = reduced(from.n * to.d, from.d * to.n);
  // The distance of the zeros in the unit in which it is whole: 32 °F are 0 °C to the bit, and 0 °C are 32 °F.
  const before = from.zeroHundredths - (to.zeroHundredths * d) / n;
  const after = (from.zeroHundredths * n) / d - to.zeroHundredths;
  if (before !== 0 && Number.isInteger(before)) return (value) => ((value + before / 100) * n) / d;
  if (after !== 0) return (value) => (value * n) / d + after / 100;
  if (n === d) return same;
  if (d === 1) return (value) => value * n;
  if (n === 1) return (value) => value / d;
  return (value) => (value * n) / d;
}

/** The fraction in its lowest terms, where both are whole. */
function reduced(n: number, d: number): readonly [n: number, d: number] {
  if (!Number.isSafeInteger(n) || !Number.isSafeInteger(d)) return [n, d];
  let [larger, smaller] = [n, d];
  while (smaller !== 0) [larger, smaller] = [smaller, larger % smaller];
  return [n / larger, d / larger];
}
