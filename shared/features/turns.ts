const TURN = 2 * Math.PI;

/** 1 / n! for the terms of the two series, of which those left out are below half a unit in the last place. */
const SINE_TERMS = series(3, 17);
const COSINE_TERMS = series(2, 16);

/**
 * The cosine of an angle in turns: a quarter of a turn is 0, to the bit.
 *
 * The same bits on every machine, which Math.cos does not promise: the angle is brought to an eighth of a turn
 * exactly, and there Taylor's series needs + and * only. Within 2 units in the last place of 1.
 */
export function cosineOfTurns(turns: number): number {
  const angle = Math.abs(turns - Math.round(turns)); // Exact, as all differences here.
  if (angle >= 0.375) return -kernelCosine(0.5 - angle);
  if (angle > 0.125) return kernelSine(0.25 - angle);
  return kernelCosine(angle);
}

/** The sine of an angle in turns, as `cosineOfTurns`. */
export function sineOfTurns(turns: number): number {
  const signed = turns - Math.round(turns);
  const angle = Math.abs(signed);
  const sine =
    angle >= 0.375 ? kernelSine(0.5 - angle) : angle > 0.125 ? kernelCosine(0.25 - angle) : kernelSine(angle);
  return signed < 0 ? -sine : sine;
}

function series(from: number, to: number): readonly number[] {
  const terms: number[] = [];
  let factorial = 1; // Exact up to 18!.
  for (let n = 2; n <= to; n++) {
    factorial *= n;
    if (n >= from && (n - from) % 2 === 0) terms.push((terms.length % 2 === 0 ? -1 : 1) / factorial);
  }
  return terms.toReversed();
}

function kernelSine(turns: number): number {
  const x = turns * TURN;
  const square = x * x;
  let sum = 0;
  for (const term of SINE_TERMS) sum = sum * square + term;
  return x + x * square * sum;
}

function kernelCosine(turns: number): number {
  const x = turns * TURN;
  const square = x * x;
  let sum = 0;
  for (const term of COSINE_TERMS) sum = sum * square + term;
  return 1 + square * sum;
}
