import { createHash } from "node:crypto";
import {
  type Bundle,
  BUNDLE_FORMAT_VERSION,
  type BundleManifest,
  type FeatureProfile,
  PROFILE_SHARES,
} from "@sluice/shared/contract/bundle.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { checkBundle } from "@sluice/shared/model/check.ts";
import { createScorer, type Scorer } from "@sluice/shared/model/scorer.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { fitAutoencoder, planLayers, wasmFolder } from "./autoencoder.ts";
import { goldenRows } from "./golden.ts";
import { fitNormalization, normalize, type DroppedFeature, type Normalization } from "./normalization.ts";
import { fitPca } from "./pca.ts";
import { quantile, quantileOfSorted } from "./quantile.ts";
import { sliceByTime, type HealthyRows, type Slices } from "./rows.ts";
import type { TrainingSettings } from "./settings.ts";
import type { EpochReport } from "./training-job.ts";

/** What training needs of a training set. */
export interface TrainingSet {
  readonly id: string;
  readonly view: FeatureView;
  readonly viewHash: string;
  /** Names of the columns of `train.values`. */
  readonly features: readonly string[];
  readonly train: HealthyRows;
}

/** A manifest that has no version yet: the registry gives it one. */
export type ManifestDraft = Omit<BundleManifest, "version">;

/** A fitted model that nobody has judged yet. */
export interface Candidate {
  readonly manifest: ManifestDraft;
  readonly weights: Float32Array;
  readonly report: TrainingReport;
}

/** What is worth knowing of a fit beside the training record in the manifest. */
export interface TrainingReport {
  /** Features of the view that are not inputs, and why. */
  readonly dropped: readonly DroppedFeature[];
  readonly warnings: readonly string[];
}

export interface TrainingOptions {
  readonly model: string;
  /** Version of the program that trains. */
  readonly codeVersion: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly onProgress?: (progress: EpochReport & { readonly kind: "autoencoder"; epochsMax: number }) => void;
  readonly signal?: AbortSignal;
}

/** The fitted part of a model, before its threshold. */
interface Fitted {
  readonly network: BundleManifest["network"];
  readonly weights: Float32Array;
  readonly backend: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
}

/** The training rows as every kind of model takes them. */
interface Prepared {
  readonly set: TrainingSet;
  readonly slices: Slices;
  readonly normalization: Normalization;
  /** Normalised rows of each slice. */
  readonly fit: Float64Array;
  readonly heldOut: Float64Array;
}

const PCA_BACKEND = "sluice-pca 1";

/** How far TensorFlow.js and our scorer may differ on a score, relative to it: single against double precision. */
const PARITY_TOLERANCE = 1e-3;

/**
 * Fits one candidate of each kind, an autoencoder and a linear model (PCA), on the same healthy rows.
 *
 * The threshold of each is a high quantile, times a margin, of its scores on the later rows, which it was not fitted
 * on, computed by the scorer of the gateway. The same set, settings and code give the same weights and thresholds.
 *
 * Throws PipelineError "training.too_few_rows", "training.too_short", "training.no_inputs", "training.diverged",
 * "training.timeout", "training.stopped", "training.failed".
 */
export async function trainCandidates(
  set: TrainingSet,
  settings: TrainingSettings,
  options: TrainingOptions,
): Promise<Candidate[]> {
  const prepared = prepare(set, settings);
  const { dropped, inputs } = prepared.normalization;
  const { fit, heldOut } = prepared.slices;
  options.log.info(
    {
      dataset: set.id,
      inputs: inputs.length,
      dropped,
      fitRows: fit.length,
      heldOutRows: heldOut.length,
    },
    "training begins",
  );
  const fits = [await fitNetwork(prepared, settings, options), fitLinear(prepared, settings)];
  return fits.map((fitted) => {
    for (const warning of fitted.warnings) options.log.warn({ model: options.model }, warning);
    return toCandidate(fitted, prepared, { settings, options });
  });
}

function prepare(set: TrainingSet, settings: TrainingSettings): Prepared {
  const { train, features } = set;
  const slices = sliceByTime(train, settings);
  const normalization = fitNormalization(train.values, features, slices.fit);
  const layout = { ...normalization, width: features.length };
  return {
    set,
    slices,
    normalization,
    fit: normalize(train.values, slices.fit, layout),
    heldOut: normalize(train.values, slices.heldOut, layout),
  };
}

async function fitNetwork(
  { normalization, fit, heldOut }: Prepared,
  settings: TrainingSettings,
  { clock, onProgress, signal }: TrainingOptions,
): Promise<Fitted> {
  const { seed, epochsMax, patienceEpochs, batchRows, learningRate, minutesMax } = settings;
  const inputs = normalization.inputs.length;
  const layers = planLayers(inputs, settings.hiddenUnits);
  const outcome = await fitAutoencoder(
    {
      inputs,
      layers,
      fit: Float32Array.from(fit),
      heldOut: Float32Array.from(heldOut),
      seed,
      epochsMax,
      patienceEpochs,
      batchRows,
      learningRate,
      wasmFolder: wasmFolder(),
    },
    {
      clock,
      minutesMax,
      onEpoch: (report) => onProgress?.({ kind: "autoencoder", epochsMax, ...report }),
      ...(signal === undefined ? {} : { signal }),
    },
  );
  const network = { kind: "autoencoder" as const, layers };
  const parity = checkParity(network, outcome.weights, {
    inputs,
    rows: heldOut,
    scores: outcome.heldOutScores,
  });
  return {
    network,
    weights: outcome.weights,
    backend: outcome.backend,
    warnings: outcome.warnings,
    metrics: {
      epochs: outcome.epochs,
      bestEpoch: outcome.bestEpoch,
      loss: outcome.loss,
      heldOutLoss: outcome.heldOutLoss,
      parity,
    },
  };
}

/** The largest relative difference between the library's scores and those of the gateway's scorer. */
function checkParity(
  network: BundleManifest["network"],
  weights: Float32Array,
  held: { readonly inputs: number; readonly rows: Float64Array; readonly scores: Float32Array },
): number {
  const { inputs } = held;
  const identity = {
    inputs: Array.from({ length: inputs }, (_, i) => `input_${i}`),
    normalization: { mean: Array<number>(inputs).fill(0), scale: Array<number>(inputs).fill(1) },
    network,
  };
  const scorer = createScorer({ manifest: identity, weights });
  let worst = 0;
  for (const [row, theirs] of held.scores.entries()) {
    const { score } = scorer.score(held.rows.subarray(row * inputs, (row + 1) * inputs));
    worst = Math.max(worst, Math.abs(score - theirs) / Math.max(score, 1e-6));
  }
  if (!(worst <= PARITY_TOLERANCE))
    throw new PipelineError(
      "training.failed",
      `the gateway's scorer differs from TensorFlow.js by a share of ${worst} of the score`,
      { hint: "This is a defect of the program; the model is not used." },
    );
  return worst;
}

function fitLinear({ normalization, fit, heldOut }: Prepared, settings: TrainingSettings): Fitted {
  const { weights, components, t2Limit, qLimit, explained } = fitPca(fit, heldOut, {
    inputs: normalization.inputs.length,
    variance: settings.pcaVariance,
    limitQuantile: settings.thresholdQuantile,
  });
  return {
    network: { kind: "pca", components, t2Limit, qLimit },
    weights,
    backend: PCA_BACKEND,
    warnings: [],
    metrics: { explained },
  };
}

function toCandidate(
  fitted: Fitted,
  { set, slices, normalization }: Prepared,
  { settings, options }: { settings: TrainingSettings; options: TrainingOptions },
): Candidate {
  const { inputs, columns, dropped } = normalization;
  const { network, weights, backend, warnings } = fitted;
  const { windowStartUs, windowEndUs, count } = set.train;
  const core = {
    inputs: [...inputs],
    normalization: { mean: [...normalization.mean], scale: [...normalization.scale] },
    network,
  };
  const scorer = createScorer({ manifest: core, weights });
  const valuesOf = (row: number): number[] =>
    columns.map((column) => set.train.values[row * set.features.length + column] ?? NaN);
  const scores = Float64Array.from(slices.heldOut, (row) => scorer.score(valuesOf(row)).score);
  const threshold = thresholdOf(scores, settings);
  const manifest: ManifestDraft = {
    formatVersion: BUNDLE_FORMAT_VERSION,
    model: options.model,
    task: "anomaly",
    view: set.view,
    viewHash: set.viewHash,
    ...core,
    threshold,
    weights: { sha256: sha256OfWeights(weights), count: weights.length },
    training: {
      datasetId: set.id,
      rows: slices.fit.length,
      fromUs: windowStartUs.reduce((a, b) => Math.min(a, b)),
      toUs: windowEndUs[count - 1] ?? 0,
      codeVersion: options.codeVersion,
      seed: settings.seed,
      backend,
      trainedAtUs: options.clock.nowUs(),
      metrics: {
        ...fitted.metrics,
        ...sliceMetrics(slices, dropped.length),
        ...scoreMetrics(scores, threshold),
      },
    },
    profile: columns.map((column) => profileOf(set.train, column, set.features.length)),
    golden: golden(slices.heldOut.map(valuesOf), core.normalization, scorer),
  };
  const candidate: Bundle = { manifest: { ...manifest, version: 1 }, weights };
  checkBundle(candidate);
  return { manifest, weights, report: { dropped, warnings } };
}

/** What one column of the training set looks like. */
function profileOf({ count, values }: HealthyRows, column: number, width: number): FeatureProfile {
  const present = Float64Array.from({ length: count }, (_, row) => values[row * width + column] ?? NaN)
    .filter((value) => !Number.isNaN(value))
    .sort();
  return {
    quantiles: PROFILE_SHARES.map((share) => quantileOfSorted(present, share)),
    missingShare: 1 - present.length / count,
  };
}

/** The largest of few scores lies short of their quantile: with so many rows the margin is doubled. */
const SMALL_SAMPLE_ROWS = 10;

/** A high quantile of healthy scores times a margin; above zero also where every score is zero. */
function thresholdOf(scores: Float64Array, settings: TrainingSettings): number {
  const margin = settings.thresholdMargin * (1 + SMALL_SAMPLE_ROWS / scores.length);
  return Math.max(quantile(scores, settings.thresholdQuantile) * margin, 1e-12);
}

function sliceMetrics(slices: Slices, droppedFeatures: number): Record<string, number> {
  return {
    heldOutRows: slices.heldOut.length,
    purgedRows: slices.purgedRows,
    emptyRows: slices.emptyRows,
    thinnedRows: slices.thinnedRows,
    droppedFeatures,
  };
}

/** How far the threshold is above the middle of healthy scores: a large ratio says that some of them were strange. */
function scoreMetrics(scores: Float64Array, threshold: number): Record<string, number> {
  const median = quantile(scores, 0.5);
  return { heldOutMedian: median, thresholdToMedian: threshold / Math.max(median, 1e-12) };
}

function golden(
  rows: readonly (readonly number[])[],
  normalization: BundleManifest["normalization"],
  scorer: Scorer,
): BundleManifest["golden"] {
  const inputs = goldenRows(rows, normalization);
  return { inputs, scores: inputs.map((row) => scorer.score(row.map((value) => value ?? undefined)).score) };
}

function sha256OfWeights(weights: Float32Array): string {
  const bytes = new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
  return createHash("sha256").update(bytes).digest("hex");
}
