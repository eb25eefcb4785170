import type { Bundle, BundleManifest } from "@sluice/shared/contract/bundle.ts";
import { checkBundle } from "@sluice/shared/model/check.ts";
import { createScorer } from "@sluice/shared/model/scorer.ts";
import { alarmShares, intervalOf, type Draws } from "./bootstrap.ts";
import { countEpisodes, type Episodes } from "./episodes.ts";
import { confusionOf, ratesOf, rocAuc, type Confusion, type Rates } from "./metrics.ts";
import type { TestRows } from "./test-rows.ts";

/** A model to be judged; a candidate has no version yet. */
export interface Model {
  readonly manifest: Omit<BundleManifest, "version">;
  readonly weights: Float32Array;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** What a model did on the test rows. */
export interface Numbers {
  readonly threshold: number;
  readonly confusion: Confusion;
  readonly rates: Rates;
  readonly auc: number | undefined;
  readonly episodes: Episodes;
  /** Confidence intervals; undefined where there is too little independent data for one. */
  readonly intervals: Readonly<Record<SampledRate, Interval | undefined>>;
}

/** Rates that have a confidence interval. */
export type SampledRate = "falseAlarmRate" | "missedAlarmRate" | "balancedAccuracy";

/** Numbers with the bootstrap's samples behind the intervals. */
export interface Measured {
  readonly numbers: Numbers;
  readonly samples: Readonly<Record<SampledRate, Float64Array | undefined>>;
}

/**
 * Scores every row with the scorer of the gateway.
 *
 * Throws where the model does not pass the checks that a gateway makes before it loads a bundle, or takes an input
 * that `features` does not have.
 */
export function scoreRows(model: Model, rows: TestRows, features: readonly string[]): Float64Array {
  const bundle: Bundle = { manifest: { ...model.manifest, version: 1 }, weights: model.weights };
  checkBundle(bundle);
  const scorer = createScorer(bundle);
  const columns = scorer.inputs.map((name) => features.indexOf(name));
  const unknown = scorer.inputs.find((_, input) => columns[input] === -1);
  if (unknown !== undefined) throw new Error(`the test rows have no feature "${unknown}"`);
  const row = new Float64Array(columns.length);
  return Float64Array.from({ length: rows.count }, (_, i) => {
    for (const [input, column] of columns.entries())
      row[input] = rows.values[i * features.length + column] ?? NaN;
    return scorer.score(row).score;
  });
}

export function measure(
  scores: Float64Array,
  threshold: number,
  { rows, draws, confidence }: { rows: TestRows; draws: Draws; confidence: number },
): Measured {
  const alarms = Uint8Array.from(scores, (score) => (score >= threshold ? 1 : 0));
  const confusion = confusionOf(alarms, rows.anomalous);
  const falseAlarmRate = alarmShares(draws.blocks.healthy, draws.healthy, alarms);
  const missedAlarmRate = alarmShares(draws.blocks.faulty, draws.faulty, alarms)?.map((hit) => 1 - hit);
  const balancedAccuracy =
    missedAlarmRate === undefined
      ? undefined
      : falseAlarmRate?.map((falseAlarms, i) => 1 - (falseAlarms + (missedAlarmRate[i] ?? 0)) / 2);
  const samples = { falseAlarmRate, missedAlarmRate, balancedAccuracy };
  // Where every draw gives the same share (no alarm at all, say), drawing again cannot tell how sure it is.
  const interval = (sample: Float64Array | undefined): Interval | undefined =>
    sample === undefined || new Set(sample).size === 1 ? undefined : intervalOf(sample, confidence);
  const numbers = {
    threshold,
    confusion,
    rates: ratesOf(confusion),
    auc: rocAuc(scores, rows.anomalous),
    episodes: countEpisodes(rows, alarms),
    intervals: {
      falseAlarmRate: interval(falseAlarmRate),
      missedAlarmRate: interval(missedAlarmRate),
      balancedAccuracy: interval(balancedAccuracy),
    },
  };
  return { numbers, samples };
}

/** The interval of `a` minus `b` over the same draws; undefined where one of them has no samples. */
export function differenceOf(
  a: Measured,
  b: Measured,
  { rate, confidence }: { rate: SampledRate; confidence: number },
): Interval | undefined {
  const first = a.samples[rate];
  const second = b.samples[rate];
  if (first === undefined || second === undefined) return undefined;
  return intervalOf(
    first.map((value, i) => value - (second[i] ?? NaN)),
    confidence,
  );
}
