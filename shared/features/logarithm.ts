const LN2 = 0.693_147_180_559_945_3;

/** 2 / (2 i + 1): those left out of the series are below half a unit in the last place. */
const TERMS = Array.from({ length: 12 }, (_, i) => 2 / (2 * i + 1)).toReversed();

/** Powers of two, exact as their reciprocals. */
const STEPS = [512, 256, 128, 64, 32, 16, 8, 4, 2, 1].map((step) => ({ step, power: 2 ** step }));

/**
 * The natural logarithm of a finite number above 0.
 *
 * The same bits on every machine, which Math.log does not promise: the number is brought between √½ and √2 by a power of
 * two, exactly, and there ln m = 2 artanh((m - 1) / (m + 1)) by its series needs + - * / only. Within 2 units in the
 * last place; ln 1 is 0.
 */
export function naturalLog(value: number): number {
  let mantissa = value;
  let exponent = 0;
  for (const { step, power } of STEPS) {
    while (mantissa >= power) {
      mantissa /= power;
      exponent += step;
    }
    while (mantissa * power <= 1) {
      mantissa *= power;
      exponent -= step;
    }
  }
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent += 1;
  } else if (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent -= 1;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  let sum = 0;
  for (const term of TERMS) sum = sum * square + term;
  return exponent * LN2 + s * sum;
}
