/** Healthy rows among the golden ones; with the two below there are eight. */
const HEALTHY_ROWS = 6;

/**
 * Eight rows that every program must score alike: six healthy ones, evenly over time, one with values missing, and
 * one far outside the healthy range. Missing values are null, as in the manifest.
 */
export function goldenRows(
  healthy: readonly (readonly number[])[],
  normalization: { readonly mean: readonly number[]; readonly scale: readonly number[] },
): (number | null)[][] {
  const toJson = (row: readonly number[]): (number | null)[] =>
    row.map((value) => (Number.isNaN(value) ? null : value));
  const chosen = Array.from({ length: HEALTHY_ROWS }, (_, i) =>
    toJson(healthy[Math.floor((i * healthy.length) / HEALTHY_ROWS)] ?? []),
  );
  const holed = toJson(healthy.at(-1) ?? []).map((value, i) => (i % 3 === 0 ? null : value));
  const strange = normalization.mean.map(
    (mean, i) => mean + (i % 2 === 0 ? 5 : -5) * (normalization.scale[i] ?? 1),
  );
  return [...chosen, holed, strange];
}
