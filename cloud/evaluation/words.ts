/** A share in per cent with one decimal: "1.2 %"; "none" where there is nothing to be a share of. */
export const percent = (share: number | undefined): string =>
  share === undefined ? "none" : `${(share * 100).toFixed(1)} %`;

export const percentRange = (range: { readonly low: number; readonly high: number } | undefined): string =>
  range === undefined ? "unknown" : `${percent(range.low)} to ${percent(range.high)}`;
