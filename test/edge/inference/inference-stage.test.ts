import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { InferenceStage } from "@sluice/edge/inference/inference-stage.ts";
import { inferenceSettingsSchema } from "@sluice/edge/inference/settings.ts";
import type { Bundle } from "@sluice/shared/contract/bundle.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import { createScorer } from "@sluice/shared/model/scorer.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { expect, test } from "vitest";
import { SAMPLE_FEATURES, SAMPLE_INPUTS, sampleBundle } from "../../shared/model/sample-bundle.ts";

const bundle = sampleBundle({ version: 3 });
const settings = inferenceSettingsSchema.parse({ raiseAfterWindows: 2, clearAfterWindows: 2 });
const NOW_US = 1_700_000_000_000_000;

function stage(model: Bundle | undefined = bundle): InferenceStage {
  const made = new InferenceStage({ settings, gateway: "gw-1" });
  made.swap(model);
  return made;
}

type Values = Readonly<Record<string, number | undefined>>;

const normal: Values = Object.fromEntries(
  SAMPLE_INPUTS.map((name, i) => [name, bundle.manifest.normalization.mean[i]]),
);
const strange: Values = { accel_rms: 400, flow_mean: 1, temp_last: 2 };

function vector(minute: number, values: Values, change: Partial<StoredVector> = {}): StoredVector {
  return {
    seq: minute,
    view: "pump_health",
    viewHash: bundle.manifest.viewHash,
    device: "pump-1",
    deviceType: "pump",
    windowStartUs: minute * 60_000_000,
    windowEndUs: (minute + 1) * 60_000_000,
    revision: 0,
    sinceOffset: 0,
    throughOffset: minute,
    closedAtUs: (minute + 1) * 60_000_000,
    closedBy: "watermark",
    violations: [],
    withheld: false,
    readingCount: 10,
    values: SAMPLE_FEATURES.map((name) => values[name]),
    ...change,
  };
}

test("a vector is scored by the model's own inputs in the model's order", () => {
  const values = { flow_mean: 3, accel_rms: -1, temp_last: 0.5, flow_std: 99, accel_max: 99 };
  const { predictions } = stage().score([vector(7, values)], 40, NOW_US);
  const { score, contributions } = createScorer(bundle).score([3, -1, 0.5]);
  const top = SAMPLE_INPUTS.map((feature, i) => ({ feature, share: contributions[i] ?? 0 }));
  expect(predictions).toEqual([
    {
      seq: 40,
      vectorSeq: 7,
      device: "pump-1",
      deviceType: "pump",
      viewHash: bundle.manifest.viewHash,
      windowStartUs: 420_000_000,
      windowEndUs: 480_000_000,
      revision: 0,
      model: "pump-health",
      version: 3,
      slot: "champion",
      score,
      threshold: 2,
      anomalous: score >= 2,
      missingCount: 0,
      unlikeTraining: [],
      top: top.sort((a, b) => b.share - a.share),
      predictedAtUs: NOW_US,
    },
  ]);
});

test("at most three features are named, the largest share first", () => {
  const wide = sampleBundle({ inputs: SAMPLE_FEATURES });
  const values = { accel_rms: 1, accel_max: 50, flow_mean: 30, flow_std: 20, temp_last: 40 };
  const { predictions } = stage(wide).score([vector(0, values)], 0, NOW_US);
  const { contributions } = createScorer(wide).score(
    SAMPLE_FEATURES.map((name) => Reflect.get(values, name)),
  );
  const expected = SAMPLE_FEATURES.map((feature, i) => ({ feature, share: contributions[i] ?? 0 }))
    .sort((a, b) => b.share - a.share)
    .slice(0, 3);
  expect(predictions[0]?.top).toEqual(expected);
});

test("a score just at the threshold is anomalous, one below is not", () => {
  const values = [3, -1, 0.5];
  const { score } = createScorer(bundle).score(values);
  const row = { flow_mean: 3, accel_rms: -1, temp_last: 0.5 };
  const verdict = (threshold: number): boolean | undefined =>
    stage(sampleBundle({ threshold })).score([vector(0, row)], 0, NOW_US).predictions[0]?.anomalous;
  expect(verdict(score)).toBe(true);
  expect(verdict(score * (1 + 1e-12))).toBe(false);
});

test("vectors of another view are left alone and counted; predictions are numbered without a gap", () => {
  const made = stage();
  const vectors = [vector(0, normal), vector(1, normal, { viewHash: "f".repeat(64) }), vector(2, normal)];
  const { predictions } = made.score(vectors, 5, NOW_US);
  expect(predictions.map(({ seq, vectorSeq }) => [seq, vectorSeq])).toEqual([
    [5, 0],
    [6, 2],
  ]);
  expect(made.counters()).toMatchObject({ scored: 2, "skipped.other_view": 1 });
});

test("a vector with too many missing inputs is not scored but counted; one with few is scored", () => {
  const made = stage();
  const one = { ...normal, accel_rms: undefined };
  const two = { ...one, flow_mean: undefined };
  const { predictions } = made.score([vector(0, one), vector(1, two)], 0, NOW_US);
  expect(predictions.map(({ vectorSeq, missingCount }) => [vectorSeq, missingCount])).toEqual([[0, 1]]);
  expect(made.counters()).toMatchObject({ scored: 1, "skipped.missing_inputs": 1 });
});

test("a vector that the breaker of its view withholds is not scored, but counted", () => {
  const made = stage();
  const { predictions } = made.score([vector(0, strange, { withheld: true }), vector(1, normal)], 0, NOW_US);
  expect(predictions.map(({ vectorSeq }) => vectorSeq)).toEqual([1]);
  expect(made.counters()).toMatchObject({ scored: 1, anomalous: 0, "skipped.withheld": 1 });
});

test("a prediction names the inputs whose values training has not seen the like of", () => {
  const profile = bundle.manifest.normalization.mean.map((mean) => ({
    quantiles: [mean - 1, mean - 1, mean - 1, mean, mean, mean, mean, mean + 1, mean + 1],
    missingShare: 0,
  }));
  const made = stage({ ...bundle, manifest: { ...bundle.manifest, profile } });
  const { predictions } = made.score(
    [vector(0, normal), vector(1, { ...normal, accel_rms: 400 })],
    0,
    NOW_US,
  );
  expect(predictions.map(({ unlikeTraining }) => unlikeTraining)).toEqual([[], ["accel_rms"]]);
  expect(made.counters()).toMatchObject({ scored: 2, unlikeTraining: 1 });
});

test("without a model nothing is scored, and that is counted", () => {
  const made = new InferenceStage({ settings, gateway: "gw-1" });
  expect(made.slot()).toEqual({ state: "empty" });
  expect(made.score([vector(0, normal)], 0, NOW_US)).toEqual({ predictions: [], alerts: [] });
  expect(made.counters()).toMatchObject({ scored: 0, "skipped.no_model": 1 });
});

test("an alert is raised once after two strange windows and cleared once after two normal ones", () => {
  const minutes = [strange, normal, strange, strange, strange, normal, strange, normal, normal, normal];
  const vectors = minutes.map((values, minute) => vector(minute, values));
  const { predictions, alerts } = stage().score(vectors, 0, NOW_US);
  expect(predictions.map(({ anomalous }) => anomalous)).toEqual(minutes.map((values) => values === strange));
  expect(alerts.map(({ id, state }) => [id, state])).toEqual([
    ["gw-1/pump-1/240000000", "raised"],
    ["gw-1/pump-1/540000000", "cleared"],
  ]);
  expect(alerts[0]).toMatchObject({
    gateway: "gw-1",
    device: "pump-1",
    windowStart: "1970-01-01T00:03:00.000Z",
    windowEnd: "1970-01-01T00:04:00.000Z",
    score: predictions[3]?.score,
    threshold: 2,
    model: "pump-health",
    version: 3,
    top: predictions[3]?.top,
  });
  expect(alerts[0]?.text).toMatch(
    /^pump-1 is anomalous over 2 windows in a row: .* mostly by accel_rms \(\d+ %\)/,
  );
  expect(alerts[1]?.text).toMatch(/^pump-1 is normal again: 2 windows in a row below the threshold/);
});

test("each device has its own row of windows", () => {
  const of = (device: string) => (minute: number) => vector(minute, strange, { device });
  const vectors = [of("a")(0), of("b")(0), of("a")(1), of("b")(1)];
  const { alerts } = stage().score(vectors, 0, NOW_US);
  expect(alerts.map(({ device }) => device)).toEqual(["a", "b"]);
});

test("a revision of a window is scored and kept, but raises nothing and clears nothing", () => {
  const made = stage();
  const late = [1, 2, 3].map((revision) => vector(0, strange, { revision }));
  const first = made.score([vector(0, strange), ...late], 0, NOW_US);
  expect(first.predictions.map(({ revision }) => revision)).toEqual([0, 1, 2, 3]);
  expect(first.alerts).toEqual([]);
  expect(made.score([vector(1, strange)], 4, NOW_US).alerts).toHaveLength(1);
  expect(made.counters()).toMatchObject({ scored: 5, revisions: 3, "alerts.raised": 1 });
});

test("a window that is not scored neither lengthens nor breaks a row", () => {
  const vectors = [vector(0, strange), vector(1, {}), vector(2, strange)];
  expect(stage().score(vectors, 0, NOW_US).alerts).toHaveLength(1);
});

test("alerts go on across a restart and across a swap of the model", () => {
  const before = stage();
  expect(before.score([vector(0, strange)], 0, NOW_US).alerts).toEqual([]);
  const after = stage();
  after.restore(before.state());
  expect(after.score([vector(1, strange)], 1, NOW_US).alerts.map(({ state }) => state)).toEqual(["raised"]);
  after.swap(sampleBundle({ version: 4 }));
  const cleared = after.score([vector(2, normal), vector(3, normal)], 2, NOW_US).alerts;
  expect(cleared.map(({ state, version }) => [state, version])).toEqual([["cleared", 4]]);
});

test("the same vectors give the same predictions and alerts, however they are cut into steps", () => {
  const vectors = [strange, strange, normal, strange, normal, normal].map((values, i) => vector(i, values));
  const whole = stage().score(vectors, 0, NOW_US);
  const cut = stage();
  const steps = vectors.map((one, i) => cut.score([one], i, NOW_US));
  expect(steps.flatMap(({ predictions }) => predictions)).toEqual(whole.predictions);
  expect(steps.flatMap(({ alerts }) => alerts)).toEqual(whole.alerts);
});

test("an unfit bundle is refused: a model that runs stays, an empty slot says why it is empty", () => {
  const unfit = { ...bundle, weights: bundle.weights.with(0, Number.NaN) };
  const made = stage();
  expect(() => made.swap(unfit)).toThrow(/unfit\.weights: weight 0 is NaN/);
  expect(made.slot()).toMatchObject({ state: "ready", model: { model: "pump-health", version: 3 } });
  expect(made.score([vector(0, normal)], 0, NOW_US).predictions).toHaveLength(1);

  const empty = new InferenceStage({ settings, gateway: "gw-1" });
  expect(() => empty.swap(unfit)).toThrow(PipelineError);
  expect(empty.slot()).toMatchObject({ state: "failed", error: { code: "bundle.refused" } });
  empty.swap(bundle);
  expect(empty.slot()).toMatchObject({ state: "ready", viewHash: bundle.manifest.viewHash });
  empty.swap(undefined);
  expect(empty.slot()).toEqual({ state: "empty" });
});

test("a thousand swaps leave one model in memory", async () => {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("this engine cannot be told to collect");
  const made = new InferenceStage({ settings, gateway: "gw-1" });
  const manifests: WeakRef<object>[] = [];
  for (let version = 1; version <= 1_000; version++) {
    const next = sampleBundle({ version });
    manifests.push(new WeakRef(next.manifest));
    made.swap(next);
    made.score([vector(version, normal)], 0, NOW_US);
  }
  await setImmediate(); // A WeakRef holds on until the turn that made it ends.
  collect();
  expect(made.slot()).toMatchObject({ model: { version: 1_000 } });
  expect(manifests.filter((manifest) => manifest.deref() !== undefined).length).toBeLessThanOrEqual(2);
});
