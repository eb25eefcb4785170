/** One line of the table: a figure, the reference it is measured against in the same run, and the mark to reach. */
export interface BenchLine {
  readonly what: string;
  readonly measured: string;
  readonly reference: string;
  /** The figure over its reference, or the figure itself where the mark is absolute. */
  readonly value: number;
  readonly mark: string;
  readonly reached: boolean | undefined;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

export const count = (value: number): string => Math.round(value).toLocaleString("en");

/** Runs both sides in turn and gives the medians, so that a noisy moment hits both. */
export async function interleave(
  rounds: number,
  sides: readonly (() => Promise<number>)[],
): Promise<readonly number[]> {
  const results = sides.map((): number[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, side] of sides.entries()) results[i]?.push(await side());
  return results.map(median);
}
