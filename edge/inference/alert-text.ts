import type { Prediction } from "@sluice/shared/contract/prediction.ts";

/** One sentence for a person: what happened to which device, how badly, and which features say so. */
export function alertText(prediction: Prediction, state: "raised" | "cleared", windowCount: number): string {
  const { device, score, threshold, top } = prediction;
  const windows = windowCount === 1 ? "1 window" : `${windowCount} windows in a row`;
  if (state === "cleared")
    return `${device} is normal again: ${windows} below the threshold, the last score is ${short(score)} of ${short(threshold)}.`;
  const causes = top.map(({ feature, share }) => `${feature} (${Math.round(share * 100)} %)`).join(", ");
  const ratio = short(score / threshold);
  return `${device} is anomalous over ${windows}: its score is ${ratio} times the threshold, mostly by ${causes}.`;
}

/** Three significant digits, without an exponent where a person would write none. */
const short = (value: number): string =>
  value >= 1e-3 && value < 1e6 ? String(Number(value.toPrecision(3))) : value.toExponential(2);
