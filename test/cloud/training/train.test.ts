import { bundleManifestSchema } from "@sluice/shared/contract/bundle.ts";
import { checkBundle } from "@sluice/shared/model/check.ts";
import { createScorer } from "@sluice/shared/model/scorer.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { expect, test } from "vitest";
import { buildDataset } from "../../../cloud/dataset/dataset.ts";
import { trainingSettingsSchema } from "../../../cloud/training/settings.ts";
import { trainCandidates, type Candidate, type TrainingSet } from "../../../cloud/training/train.ts";
import { lakeOf, SECOND_US, spec, type Row } from "../dataset/lake.ts";
import { healthyRow, healthySet, trainingSet } from "./plants.ts";

const WIDTH = 8;
const settings = trainingSettingsSchema.parse({ epochsMax: 60 });

const train = (set: TrainingSet, changed: object = {}): Promise<Candidate[]> =>
  trainCandidates(
    set,
    { ...settings, ...changed },
    { model: "pump_health", codeVersion: "test", clock: new SimulatedClock(1), log: silentLog },
  );

const shareOfAlarms = ({ manifest, weights }: Candidate, rows: readonly (readonly number[])[]): number => {
  const scorer = createScorer({ manifest, weights });
  return rows.filter((row) => scorer.score(row).score >= manifest.threshold).length / rows.length;
};

const kindsOf = (candidates: readonly Candidate[]): string[] =>
  candidates.map(({ manifest }) => manifest.network.kind);

test("both kinds of model stay quiet on new healthy rows and find a shift and a broken correlation", async () => {
  const candidates = await train(healthySet(1_000, WIDTH));
  expect(kindsOf(candidates)).toEqual(["autoencoder", "pca"]);
  const random = seededRandom(77);
  const healthy = Array.from({ length: 1_000 }, () => healthyRow(WIDTH, random));
  const shifted = healthy.map((row) => row.map((value, i) => (i === 3 ? value + 6 * (i + 1) : value)));
  // Each feature alone stays within its healthy range: only together are the rows strange.
  const broken = healthy.map((row, i) =>
    row.map((value, j) => (j % 2 === 0 ? value : (healthy[(i + 500) % 1_000]?.[j] ?? 0))),
  );
  for (const candidate of candidates) {
    expect(shareOfAlarms(candidate, healthy)).toBeLessThan(0.01);
    expect(shareOfAlarms(candidate, shifted)).toBeGreaterThan(0.95);
    expect(shareOfAlarms(candidate, broken)).toBeGreaterThan(0.9);
  }
});

test("a candidate is a whole bundle but for its version, with eight golden rows, one of them with values missing", async () => {
  for (const { manifest, weights } of await train(healthySet(300, 5))) {
    const bundle = { manifest: { ...manifest, version: 1 }, weights };
    expect(bundleManifestSchema.parse(bundle.manifest)).toEqual(bundle.manifest);
    expect(() => checkBundle(bundle)).not.toThrow();
    expect(manifest.golden.inputs).toHaveLength(8);
    expect(manifest.profile).toHaveLength(manifest.inputs.length);
    for (const { quantiles } of manifest.profile ?? [])
      expect(quantiles).toEqual([...quantiles].sort((a, b) => a - b));
    expect(manifest.golden.inputs.filter((row) => row.includes(null))).toHaveLength(1);
    expect(manifest.training).toMatchObject({
      datasetId: "a".repeat(64),
      rows: 210,
      seed: 1,
      codeVersion: "test",
    });
  }
});

test("TensorFlow.js and the gateway's scorer give the same scores", async () => {
  const [autoencoder] = await train(healthySet(400, WIDTH));
  expect(autoencoder?.manifest.training.backend).toMatch(/^tfjs-wasm/);
  expect(autoencoder?.manifest.training.metrics["parity"]).toBeLessThan(1e-5);
});

test("the same training set, settings and seed give the same weights, thresholds and golden scores", async () => {
  const [first, second, other] = await Promise.all([
    train(healthySet(300, WIDTH)),
    train(healthySet(300, WIDTH)),
    train(healthySet(300, WIDTH), { seed: 2 }),
  ]);
  expect(second).toEqual(first);
  expect(other[0]?.manifest.weights.sha256).not.toBe(first[0]?.manifest.weights.sha256);
  // The linear model has no chance in it.
  expect(other[1]?.weights).toEqual(first[1]?.weights);
});

test("nothing that became known after the cut-off changes a bit of the models", async () => {
  const random = seededRandom(5);
  const rows: Row[] = Array.from({ length: 400 }, (_, i) => ({
    startS: i * 5,
    values: [random.normal(), 3 + random.normal()],
  }));
  const knownByUs = 1_700 * SECOND_US;
  const future: Row[] = rows.map((row) => (row.startS + 10 > 1_700 ? { ...row, values: [1e6, NaN] } : row));
  const revised: Row[] = [...future, { startS: 50, revision: 4, closedS: 1_701, values: [4, 4] }];
  const [before, after] = await Promise.all(
    [rows, revised].map(async (all) => train(await buildDataset(lakeOf(all), spec({ knownByUs })))),
  );
  expect(after).toEqual(before);
});

test("the threshold is above every score of the rows that set it", async () => {
  const set = healthySet(600, WIDTH);
  for (const candidate of await train(set)) {
    const rows = Array.from({ length: 600 }, (_, i) => [
      ...set.train.values.subarray(i * WIDTH, (i + 1) * WIDTH),
    ]);
    expect(shareOfAlarms(candidate, rows.slice(420))).toBe(0);
  }
});

test("rows with missing values train finite models that score rows with missing values", async () => {
  const random = seededRandom(3);
  const rows = Array.from({ length: 500 }, () =>
    healthyRow(WIDTH, random).map((value) => (random.next() < 0.1 ? NaN : value)),
  );
  for (const candidate of await train(trainingSet(rows))) {
    expect(candidate.weights.every(Number.isFinite)).toBe(true);
    expect(shareOfAlarms(candidate, rows)).toBeLessThan(0.05);
    const { score, missingCount } = createScorer(candidate).score(Array<undefined>(WIDTH).fill(undefined));
    expect({ finite: Number.isFinite(score), missingCount }).toEqual({ finite: true, missingCount: WIDTH });
  }
});

test("features that never vary or never have a value are not inputs, and are named", async () => {
  const random = seededRandom(4);
  const rows = Array.from({ length: 300 }, () => {
    const [a = 0, b = 0] = healthyRow(2, random);
    return [a, 5, NaN, b];
  });
  for (const { manifest, report } of await train(trainingSet(rows))) {
    expect(manifest.inputs).toEqual(["f0", "f3"]);
    expect(report.dropped).toEqual([
      { feature: "f1", reason: "constant" },
      { feature: "f2", reason: "missing" },
    ]);
    expect(manifest.training.metrics["droppedFeatures"]).toBe(2);
  }
});

test("a view of one feature gives models that find a value outside its range", async () => {
  const random = seededRandom(6);
  const rows = Array.from({ length: 400 }, () => [20 + random.normal()]);
  for (const candidate of await train(trainingSet(rows))) {
    expect(shareOfAlarms(candidate, rows)).toBeLessThan(0.02);
    expect(shareOfAlarms(candidate, [[40], [0]])).toBe(1);
  }
});

test("too few rows, no varying feature, no value at all, and too short a time are refused with what to do", async () => {
  const refusals: readonly [TrainingSet, string][] = [
    [trainingSet([], 2), "training.too_few_rows"],
    [healthySet(10, 2), "training.too_few_rows"],
    [trainingSet(Array.from({ length: 300 }, () => [1, 2])), "training.no_inputs"],
    [trainingSet(Array.from({ length: 300 }, () => [NaN, NaN])), "training.too_few_rows"],
    [atOnce(healthySet(300, 2)), "training.too_short"],
  ];
  for (const [set, code] of refusals)
    await expect(train(set)).rejects.toMatchObject({ code, hint: expect.stringMatching(/./) });
});

/** The same rows as if 300 devices had sent them in one window. */
function atOnce(set: TrainingSet): TrainingSet {
  const { count } = set.train;
  const windowStartUs = new Float64Array(count);
  return { ...set, train: { ...set.train, windowStartUs, windowEndUs: windowStartUs.map(() => SECOND_US) } };
}

test("of more rows than allowed an even selection over time is taken and counted", async () => {
  const [, linear] = await train(healthySet(3_000, 3), { rowsMax: 1_000, epochsMax: 1 });
  expect(linear?.manifest.training.rows).toBe(700);
  expect(linear?.manifest.training.metrics["thinnedRows"]).toBe(2_000);
});
