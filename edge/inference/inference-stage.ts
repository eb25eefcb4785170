import { requireFit } from "@sluice/shared/codec/bundle-codec.ts";
import type { Alert } from "@sluice/shared/contract/alert.ts";
import type { Bundle, BundleManifest } from "@sluice/shared/contract/bundle.ts";
import type { ModelVersion } from "@sluice/shared/contract/fleet.ts";
import type { Contribution, Prediction } from "@sluice/shared/contract/prediction.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import { TrainingRange } from "@sluice/shared/model/profile.ts";
import { createScorer, type Score, type Scorer } from "@sluice/shared/model/scorer.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { alertText } from "./alert-text.ts";
import { AlertTracker } from "./alert-tracker.ts";
import type { InferenceSettings } from "./settings.ts";

/** Where the gateway holds its model. */
export type Slot =
  | { readonly state: "empty" }
  | { readonly state: "ready"; readonly model: ModelVersion; readonly viewHash: string }
  /** Nothing scores, because the last bundle was unfit and there was none before it. */
  | { readonly state: "failed"; readonly error: PipelineError };

interface Loaded {
  readonly manifest: BundleManifest;
  readonly scorer: Scorer;
  /** For each input of the model its place in the view's vectors. */
  readonly columns: readonly number[];
  readonly range: TrainingRange;
  /** The inputs of the vector at hand. */
  readonly row: (number | undefined)[];
}

export interface Scored {
  readonly predictions: Prediction[];
  readonly alerts: Alert[];
}

/** How many features a prediction names. */
const TOP_FEATURES = 3;

/**
 * Feature vectors → predictions and alerts, by the model in the slot.
 *
 * Only vectors of the model's own view are scored, and only those with enough inputs; the others are counted by their
 * reason. A revision of a window is scored again, but only the first closing of a window drives the alert: what was
 * raised by night must not depend on what arrived the next morning. A vector that is not scored neither lengthens nor
 * breaks a row of windows. Alert ids follow from gateway, device and window, so the same alert twice is one alert.
 */
export class InferenceStage {
  readonly #gateway: string;
  readonly #settings: InferenceSettings;
  readonly #alerts: AlertTracker;
  readonly #counters = {
    scored: 0,
    anomalous: 0,
    revisions: 0,
    "skipped.no_model": 0,
    "skipped.other_view": 0,
    "skipped.missing_inputs": 0,
    "skipped.withheld": 0,
    unlikeTraining: 0,
    "alerts.raised": 0,
    "alerts.cleared": 0,
  };
  #loaded: Loaded | undefined;
  #error: PipelineError | undefined;

  constructor({ settings, gateway }: { readonly settings: InferenceSettings; readonly gateway: string }) {
    this.#settings = settings;
    this.#gateway = gateway;
    this.#alerts = new AlertTracker(settings);
  }

  slot(): Slot {
    if (this.#loaded !== undefined) {
      const { model, version, viewHash } = this.#loaded.manifest;
      return { state: "ready", model: { model, version }, viewHash };
    }
    return this.#error === undefined ? { state: "empty" } : { state: "failed", error: this.#error };
  }

  /**
   * Puts a model into the slot, or empties it. Alerts and rows of windows go on with the next model.
   *
   * Throws PipelineError "bundle.refused" where the bundle cannot score; the model before it then stays.
   */
  swap(bundle: Bundle | undefined): void {
    try {
      this.#loaded = bundle === undefined ? undefined : load(bundle);
      this.#error = undefined;
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      this.#error = error;
      throw error;
    }
  }

  /** Scores vectors in their order. Predictions are numbered from `firstSeq` on. */
  score(vectors: readonly StoredVector[], firstSeq: number, nowUs: number): Scored {
    const predictions: Prediction[] = [];
    const alerts: Alert[] = [];
    for (const vector of vectors) {
      const prediction = this.#predict(vector, firstSeq + predictions.length, nowUs);
      if (prediction === undefined) continue;
      predictions.push(prediction);
      const alert = prediction.revision === 0 ? this.#alert(prediction) : undefined;
      if (alert !== undefined) alerts.push(alert);
    }
    return { predictions, alerts };
  }

  #predict(vector: StoredVector, seq: number, nowUs: number): Prediction | undefined {
    const loaded = this.#loaded;
    const counters = this.#counters;
    if (loaded === undefined) {
      counters["skipped.no_model"]++;
      return undefined;
    }
    const { manifest, scorer, range, columns, row } = loaded;
    if (vector.viewHash !== manifest.viewHash) {
      counters["skipped.other_view"]++;
      return undefined;
    }
    if (vector.withheld) {
      counters["skipped.withheld"]++;
      return undefined;
    }
    let missingCount = 0;
    for (const [i, column] of columns.entries()) {
      row[i] = vector.values[column];
      if (row[i] === undefined) missingCount++;
    }
    if (missingCount > this.#settings.missingShareMax * columns.length) {
      counters["skipped.missing_inputs"]++;
      return undefined;
    }
    const unlikeTraining: string[] = [];
    range.outside(row, (input) => unlikeTraining.push(manifest.inputs[input] ?? ""));
    const prediction = describe(vector, manifest, scorer.score(row), { seq, nowUs, unlikeTraining });
    counters.scored++;
    if (unlikeTraining.length > 0) counters.unlikeTraining++;
    if (prediction.anomalous) counters.anomalous++;
    if (prediction.revision > 0) counters.revisions++;
    return prediction;
  }

  #alert(prediction: Prediction): Alert | undefined {
    const state = this.#alerts.observe(prediction.device, prediction.anomalous);
    if (state === undefined) return undefined;
    this.#counters[`alerts.${state}`]++;
    const { raiseAfterWindows, clearAfterWindows } = this.#settings;
    const { device, score, threshold, model, version, top } = prediction;
    return {
      id: `${this.#gateway}/${device}/${prediction.windowEndUs}`,
      gateway: this.#gateway,
      device,
      state,
      windowStart: isoTime(prediction.windowStartUs),
      windowEnd: isoTime(prediction.windowEndUs),
      score,
      threshold,
      model,
      version,
      top,
      text: alertText(prediction, state, state === "raised" ? raiseAfterWindows : clearAfterWindows),
    };
  }

  /** The alert state as text, to be stored with the step that it belongs to. Cheap while nothing changes. */
  state(): string {
    return this.#alerts.state();
  }

  /** Goes on from what `state` gave. Throws PipelineError "inference.state_unreadable". */
  restore(state: string): void {
    this.#alerts.restore(state);
  }

  /** What was done since the start, and what was not done, by its reason. */
  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, "alerts.forgotten": this.#alerts.forgottenCount };
  }

  /** How many devices are in alarm now. */
  get raisedCount(): number {
    return this.#alerts.raisedCount;
  }
}

function load(bundle: Bundle): Loaded {
  requireFit(bundle);
  const { manifest } = bundle;
  const names = manifest.view.features.map((feature) => feature.name);
  return {
    manifest,
    scorer: createScorer(bundle),
    range: new TrainingRange(manifest.profile ?? []),
    columns: manifest.inputs.map((input) => names.indexOf(input)),
    row: manifest.inputs.map(() => undefined),
  };
}

function describe(
  vector: StoredVector,
  manifest: BundleManifest,
  scored: Score,
  {
    seq,
    nowUs,
    unlikeTraining,
  }: { readonly seq: number; readonly nowUs: number; readonly unlikeTraining: readonly string[] },
): Prediction {
  return {
    seq,
    vectorSeq: vector.seq,
    device: vector.device,
    deviceType: vector.deviceType,
    viewHash: vector.viewHash,
    windowStartUs: vector.windowStartUs,
    windowEndUs: vector.windowEndUs,
    revision: vector.revision,
    model: manifest.model,
    version: manifest.version,
    slot: "champion",
    score: scored.score,
    threshold: manifest.threshold,
    anomalous: scored.score >= manifest.threshold,
    missingCount: scored.missingCount,
    top: topContributions(manifest.inputs, scored.contributions),
    unlikeTraining,
    predictedAtUs: nowUs,
  };
}

/** The largest shares, largest first; of equal ones the earlier input. Inputs without a share are not named. */
function topContributions(inputs: readonly string[], shares: Float64Array): Contribution[] {
  const top: Contribution[] = [];
  for (const [i, feature] of inputs.entries()) {
    const share = shares[i] ?? 0;
    if (share === 0) continue;
    const place = top.findIndex((other) => share > other.share);
    if (place !== -1) top.splice(place, 0, { feature, share });
    else if (top.length < TOP_FEATURES) top.push({ feature, share });
    if (top.length > TOP_FEATURES) top.pop();
  }
  return top;
}
