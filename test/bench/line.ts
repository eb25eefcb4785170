/** One line of the table: a figure, the reference it is measured against in the same run, and the mark to reach. */
export interface BenchLine {
  readonly what: string;
  readonly measured: string;
  readonly reference: string;
  /** The figure over its reference, or the figure itself where the mark is absolute. */
  readonly value: number;
  readonly mark: string;
  /** Undefined where it was not measured, or there is no mark. */
  readonly reached: boolean | undefined;
}

export const count = (value: number): string => Math.round(value).toLocaleString("en");

/** A rate over the rate of a reference; NaN where the reference could not be installed. */
export function atLeast(
  what: string,
  perSecond: number,
  reference: { readonly name: string; readonly value: number; readonly mark: number | undefined },
): BenchLine {
  const { name, value, mark } = reference;
  if (Number.isNaN(value)) return notMeasured(`${what}, against ${name}`, "not installed");
  return {
    what,
    measured: `${count(perSecond)} /s`,
    reference: `${count(value)} /s ${name}`,
    value: perSecond / value,
    mark: mark === undefined ? "none" : `at least ${mark}`,
    reached: mark === undefined ? undefined : perSecond / value >= mark,
  };
}

/** A figure with a bound of its own. */
export function atMost(
  what: string,
  value: number,
  { unit, mark }: { readonly unit: string; readonly mark: number },
): BenchLine {
  const measured = `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
  return { what, measured, reference: "", value, mark: `${mark} ${unit} or less`, reached: value <= mark };
}

export const notMeasured = (what: string, why: string): BenchLine => ({
  what,
  measured: why,
  reference: "",
  value: NaN,
  mark: "",
  reached: undefined,
});

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

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
