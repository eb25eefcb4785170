import { differenceOf, type Measured, type SampledRate } from "./measure.ts";
import type { EvaluationSettings } from "./settings.ts";
import { percent, percentRange } from "./words.ts";

export type Outcome = "promote" | "reject" | "cannot_tell";

/** What is thought of one candidate, and why, in sentences with the numbers in them. */
export interface Opinion {
  readonly outcome: Outcome;
  readonly reasons: readonly string[];
}

/** Judges a candidate that nothing is there to be compared with: by absolute limits. Pure. */
export function judgeFirst({ numbers }: Measured, settings: EvaluationSettings): Opinion {
  const { rates, confusion, episodes } = numbers;
  const healthy = confusion.falseAlarms + confusion.quiet;
  const faulty = confusion.hits + confusion.missed;
  const said = `Alarms on ${percent(rates.falseAlarmRate)} of ${healthy} later healthy windows`;
  const reasons = [`${said}; at most ${percent(settings.falseAlarmRateMax)} are allowed.`];
  if ((rates.falseAlarmRate ?? 1) > settings.falseAlarmRateMax) return { outcome: "reject", reasons };
  if (rates.missedAlarmRate === undefined)
    return { outcome: "promote", reasons: [...reasons, "There is no labelled fault to find yet."] };
  reasons.push(
    `Finds ${episodes.found} of ${episodes.faults} labelled faults and misses ` +
      `${percent(rates.missedAlarmRate)} of their ${faulty} windows; ` +
      `at most ${percent(settings.missedAlarmRateMax)} may be missed.`,
  );
  const outcome = rates.missedAlarmRate > settings.missedAlarmRateMax ? "reject" : "promote";
  return { outcome, reasons };
}

/**
 * Judges a candidate against the champion on the same rows. Pure.
 *
 * 1. More false alarms than the champion's, beyond the margin: reject.
 * 2. No labelled fault to compare on: cannot tell, because a model that never alarms would win.
 * 3. Fewer faults found, or more of their windows missed, beyond the margin: reject.
 * 4. Better in something beyond its confidence interval: promote. Better, but within it: cannot tell. Else: reject.
 */
export function judgeAgainst(candidate: Measured, champion: Measured, settings: EvaluationSettings): Opinion {
  const ours = candidate.numbers;
  const theirs = champion.numbers;
  const reasons = [
    `Alarms on ${percent(ours.rates.falseAlarmRate)} of later healthy windows, ` +
      `the champion on ${percent(theirs.rates.falseAlarmRate)}.`,
  ];
  const moreFalseAlarms = (ours.rates.falseAlarmRate ?? 0) - (theirs.rates.falseAlarmRate ?? 0);
  if (moreFalseAlarms > settings.falseAlarmMargin)
    return {
      outcome: "reject",
      reasons: [
        ...reasons,
        `That is ${percent(moreFalseAlarms)} more; ${percent(settings.falseAlarmMargin)} are allowed.`,
      ],
    };
  if (ours.rates.missedAlarmRate === undefined || theirs.rates.missedAlarmRate === undefined)
    return {
      outcome: "cannot_tell",
      reasons: [
        ...reasons,
        "There is no labelled fault: nobody can tell whether it finds as many as the champion.",
      ],
    };
  reasons.push(
    `Finds ${ours.episodes.found} of ${ours.episodes.faults} labelled faults, the champion ` +
      `${theirs.episodes.found}; misses ${percent(ours.rates.missedAlarmRate)} of their windows, ` +
      `the champion ${percent(theirs.rates.missedAlarmRate)}.`,
  );
  const moreMissed = ours.rates.missedAlarmRate - theirs.rates.missedAlarmRate;
  if (ours.episodes.found < theirs.episodes.found || moreMissed > settings.missedAlarmMargin)
    return { outcome: "reject", reasons: [...reasons, "That is worse on labelled faults."] };
  const better = improvement(candidate, champion, settings);
  return { outcome: better.outcome, reasons: [...reasons, better.reason] };
}

/** The rates in which a model can be better, and the direction that is better. */
const MERITS: readonly { readonly rate: SampledRate; readonly sign: 1 | -1; readonly name: string }[] = [
  { rate: "falseAlarmRate", sign: -1, name: "false alarms" },
  { rate: "missedAlarmRate", sign: -1, name: "missed alarms" },
  { rate: "balancedAccuracy", sign: 1, name: "balanced accuracy" },
];

function improvement(
  candidate: Measured,
  champion: Measured,
  { confidence }: EvaluationSettings,
): { outcome: Outcome; reason: string } {
  let unsure: string | undefined;
  for (const { rate, sign, name } of MERITS) {
    const gain = ((candidate.numbers.rates[rate] ?? 0) - (champion.numbers.rates[rate] ?? 0)) * sign;
    if (gain <= 0) continue;
    const range = differenceOf(candidate, champion, { rate, confidence });
    const said = `Better in ${name} by ${percent(gain)} (interval of the difference: ${percentRange(range)})`;
    if (range !== undefined && (sign === 1 ? range.low > 0 : range.high < 0))
      return { outcome: "promote", reason: `${said}.` };
    unsure ??= `${said}, but too few independent windows say so: it may be chance.`;
  }
  return unsure === undefined
    ? { outcome: "reject", reason: "No better than the champion in anything." }
    : { outcome: "cannot_tell", reason: unsure };
}

/**
 * Whether `a` is better than the simpler `b` by more than chance: it finds more labelled faults, or its balanced
 * accuracy (its false alarms where there is no fault) is better beyond the confidence interval of the difference.
 */
export function isClearlyBetter(a: Measured, b: Measured, { confidence }: EvaluationSettings): boolean {
  const found = a.numbers.episodes.found - b.numbers.episodes.found;
  if (found !== 0) return found > 0;
  if (a.numbers.rates.balancedAccuracy === undefined) {
    const range = differenceOf(a, b, { rate: "falseAlarmRate", confidence });
    return range !== undefined && range.high < 0;
  }
  const range = differenceOf(a, b, { rate: "balancedAccuracy", confidence });
  return range !== undefined && range.low > 0;
}
