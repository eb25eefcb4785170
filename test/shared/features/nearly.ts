import { expect } from "vitest";

/** Matches a number up to rounding in its last digits, and no number exactly. */
export function nearly(value: number | undefined, digits: number): unknown {
  return value === undefined ? undefined : expect.closeTo(value, digits);
}
