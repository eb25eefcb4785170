import type { Bundle } from "@sluice/shared/contract/bundle.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { drawBlocks } from "./bootstrap.ts";
import { isClearlyBetter, judgeAgainst, judgeFirst, type Opinion, type Outcome } from "./judge.ts";
import { measure, scoreRows, type Measured, type Model, type Numbers } from "./measure.ts";
import type { EvaluationSettings } from "./settings.ts";
import type { TestRows } from "./test-rows.ts";

/** The live model: there is none yet, it is here, or it could not be loaded and why. */
export type Champion =
  | { readonly state: "none" }
  | { readonly state: "ready"; readonly bundle: Bundle }
  | { readonly state: "failed"; readonly reason: string };

export interface EvaluationInput<C extends Model> {
  /** Models of one view. */
  readonly candidates: readonly C[];
  readonly champion: Champion;
  /** Later data than the candidates were fitted on, with the columns of their view. */
  readonly test: TestRows;
  readonly settings: EvaluationSettings;
}

/** What is thought of one candidate. `numbers` is undefined where it could not score. */
export interface Judgement<C extends Model> extends Opinion {
  readonly candidate: C;
  readonly numbers: Numbers | undefined;
}

/** The answer to: should one of these models replace the champion? */
export interface Verdict<C extends Model = Model> {
  readonly outcome: Outcome;
  /** Why, in plain words. */
  readonly reasons: readonly string[];
  /** The candidate to promote; undefined unless the outcome is "promote". */
  readonly promoted: C | undefined;
  readonly judgements: readonly Judgement<C>[];
  readonly champion: {
    readonly state: Champion["state"];
    readonly name: string;
    /** Undefined where it could not be scored on the same rows. */
    readonly numbers: Numbers | undefined;
  };
  readonly test: TestSummary;
}

export interface TestSummary {
  readonly healthyRows: number;
  readonly faultyRows: number;
  readonly devices: number;
  /** From the first window's start to the last one's end; 0 of no rows. */
  readonly fromUs: number;
  readonly toUs: number;
}

/**
 * Compares candidates with the champion, and with each other, on the same later rows.
 *
 * At most one candidate is promoted. Among several that could be, it is the clearly better one, and the linear one on
 * a tie. What cannot be compared, because a class of rows is missing or the champion cannot be scored, is "cannot_tell"
 * with the reason: then a person decides. Deterministic.
 */
export function evaluate<C extends Model>(input: EvaluationInput<C>): Verdict<C> {
  const { champion, test, settings } = input;
  const compare = prepareComparison(input);
  const rival = measureChampion(input, compare);
  const judged = input.candidates.map((candidate) => judge(candidate, { input, compare, rival }));
  const chosen = choose(judged, settings);
  const judgements = judged.map(({ judgement }) => settle(judgement, chosen));
  const promoted = judgements.find(({ outcome }) => outcome === "promote");
  const outcome = promoted?.outcome ?? worstKnown(judgements);
  return {
    outcome,
    reasons:
      promoted?.reasons ??
      judgements.flatMap(({ candidate, reasons }) => reasons.map((r) => `${kindOf(candidate)}: ${r}`)),
    promoted: promoted?.candidate,
    judgements,
    champion: { state: champion.state, name: nameOf(champion), numbers: rival.measured?.numbers },
    test: summarize(test),
  };
}

const kindOf = (model: Model): string => model.manifest.network.kind;

const nameOf = (champion: Champion): string =>
  champion.state === "ready"
    ? `${champion.bundle.manifest.model} version ${champion.bundle.manifest.version}`
    : champion.state === "none"
      ? "none"
      : "not usable";

type Compare = (model: Model) => Measured;

/** A function that scores and measures a model on the test rows; every model meets the same rows and draws. */
function prepareComparison<C extends Model>({ candidates, test, settings }: EvaluationInput<C>): Compare {
  const view = candidates[0]?.manifest.view;
  if (view === undefined)
    throw new PipelineError("evaluation.no_candidate", "there is no candidate to judge");
  const features = view.features.map((feature) => feature.name);
  if (test.values.length !== test.count * features.length)
    throw new PipelineError(
      "evaluation.wrong_rows",
      `${test.count} test rows have ${test.values.length} values, the view ${view.name} has ${features.length} features`,
    );
  const draws = drawBlocks(test, settings);
  const { confidence } = settings;
  return (model) =>
    measure(scoreRows(model, test, features), model.manifest.threshold, { rows: test, draws, confidence });
}

/** The champion's measurements, or why there are none. */
interface Rival {
  readonly measured: Measured | undefined;
  readonly problem: string | undefined;
}

function measureChampion<C extends Model>(
  { champion, candidates }: EvaluationInput<C>,
  compare: Compare,
): Rival {
  if (champion.state === "none") return { measured: undefined, problem: undefined };
  if (champion.state === "failed")
    return { measured: undefined, problem: `it did not load: ${champion.reason}` };
  if (candidates.some(({ manifest }) => manifest.viewHash !== champion.bundle.manifest.viewHash))
    return {
      measured: undefined,
      problem: "it reads another feature view, so the same rows cannot be scored",
    };
  try {
    return { measured: compare(champion.bundle), problem: undefined };
  } catch (error) {
    return { measured: undefined, problem: `it could not be scored: ${describeError(error)}` };
  }
}

interface Judged<C extends Model> {
  readonly judgement: Judgement<C>;
  readonly measured: Measured | undefined;
}

function judge<C extends Model>(
  candidate: C,
  context: { input: EvaluationInput<C>; compare: Compare; rival: Rival },
): Judged<C> {
  let measured: Measured;
  try {
    measured = context.compare(candidate);
  } catch (error) {
    const reasons = [`A gateway would refuse it: ${describeError(error)}.`];
    return { measured: undefined, judgement: { candidate, numbers: undefined, outcome: "reject", reasons } };
  }
  const opinion = opinionOf(measured, context);
  return { measured, judgement: { candidate, numbers: measured.numbers, ...opinion } };
}

function opinionOf<C extends Model>(
  measured: Measured,
  { input, rival }: { input: EvaluationInput<C>; rival: Rival },
): Opinion {
  const { champion, settings, test } = input;
  const { falseAlarms, quiet } = measured.numbers.confusion;
  if (falseAlarms + quiet < settings.healthyRowsMin)
    return cannotTell(
      `${falseAlarms + quiet} later healthy windows to judge on, ${settings.healthyRowsMin} are needed.`,
    );
  if (rival.problem !== undefined)
    return cannotTell(`There is a champion, but ${rival.problem}. Repair it, or promote a version by hand.`);
  if (champion.state !== "ready" || rival.measured === undefined) return judgeFirst(measured, settings);
  const opinion = judgeAgainst(measured, rival.measured, settings);
  const seen = rowsSeenBy(champion.bundle, test);
  if (seen === 0) return opinion;
  return {
    ...opinion,
    reasons: [
      ...opinion.reasons,
      `The champion was trained over the time of ${seen} of these windows, which favours it.`,
    ],
  };
}

const cannotTell = (reason: string): Opinion => ({ outcome: "cannot_tell", reasons: [reason] });

function rowsSeenBy(bundle: Bundle, test: TestRows): number {
  const { toUs } = bundle.manifest.training;
  return test.windowStartUs.filter((startUs, row) => startUs < toUs && test.anomalous[row] !== 1).length;
}

/** The one to promote among those that could be: simple models first, a later one only where it is clearly better. */
function choose<C extends Model>(judged: readonly Judged<C>[], settings: EvaluationSettings): C | undefined {
  const simplicity = (one: Judged<C>): number => (kindOf(one.judgement.candidate) === "pca" ? 0 : 1);
  const fit = judged
    .filter(({ judgement }) => judgement.outcome === "promote")
    .toSorted((a, b) => simplicity(a) - simplicity(b));
  let best = fit[0];
  for (const one of fit.slice(1))
    if (best?.measured !== undefined && one.measured !== undefined)
      if (isClearlyBetter(one.measured, best.measured, settings)) best = one;
  return best?.judgement.candidate;
}

/** Turns down a candidate that would do where another one was chosen. */
function settle<C extends Model>(judgement: Judgement<C>, chosen: C | undefined): Judgement<C> {
  if (judgement.outcome !== "promote" || judgement.candidate === chosen || chosen === undefined)
    return judgement;
  const reason =
    kindOf(chosen) === "pca"
      ? "It would do, but is not clearly better than the simpler pca, which is preferred."
      : `It would do, but ${kindOf(chosen)} is clearly better.`;
  return { ...judgement, outcome: "reject", reasons: [...judgement.reasons, reason] };
}

function worstKnown<C extends Model>(judgements: readonly Judgement<C>[]): Outcome {
  return judgements.some(({ outcome }) => outcome === "cannot_tell") ? "cannot_tell" : "reject";
}

function summarize(test: TestRows): TestSummary {
  const faultyRows = test.anomalous.reduce((sum, flag) => sum + flag, 0);
  return {
    healthyRows: test.count - faultyRows,
    faultyRows,
    devices: new Set(test.device.map((device, row) => `${test.gateway[row] ?? ""}\n${device}`)).size,
    fromUs: test.count === 0 ? 0 : test.windowStartUs.reduce((a, b) => Math.min(a, b)),
    toUs: test.count === 0 ? 0 : test.windowEndUs.reduce((a, b) => Math.max(a, b)),
  };
}
