import type { Bundle, BundleManifest } from "@sluice/shared/contract/bundle.ts";
import { checkBundle, UnfitBundle } from "@sluice/shared/model/check.ts";
import { expect, test } from "vitest";
import { sampleBundle, samplePca } from "./sample-bundle.ts";

const altered = (bundle: Bundle, change: Partial<BundleManifest>): Bundle => ({
  ...bundle,
  manifest: { ...bundle.manifest, ...change },
});

function failedCheck(bundle: Bundle): string {
  try {
    checkBundle(bundle);
  } catch (error) {
    if (error instanceof UnfitBundle) return error.check;
    throw error;
  }
  return "none";
}

const good = sampleBundle();
const pca = sampleBundle({ network: samplePca });
const { manifest } = good;

test("a bundle as trained passes", () => {
  expect(failedCheck(good)).toBe("none");
  expect(failedCheck(pca)).toBe("none");
});

const scale = manifest.normalization.scale;
const mean = manifest.normalization.mean;
const unfit: readonly (readonly [string, string, Bundle])[] = [
  ["a newer format", "format", altered(good, { formatVersion: 2 })],
  ["an older format", "format", altered(good, { formatVersion: 0 })],
  ["no inputs", "inputs", altered(good, { inputs: [] })],
  ["an input twice", "inputs", altered(good, { inputs: ["flow_mean", "flow_mean", "temp_last"] })],
  ["an input that the view lacks", "inputs", altered(good, { inputs: ["flow_mean", "x", "temp_last"] })],
  ["too few means", "normalization", altered(good, { normalization: { mean: mean.slice(1), scale } })],
  ["a NaN mean", "normalization", altered(good, { normalization: { mean: [Number.NaN, 0, 0], scale } })],
  ["an endless scale", "normalization", altered(good, { normalization: { mean, scale: [1, Infinity, 1] } })],
  ["a scale of 0", "normalization", altered(good, { normalization: { mean, scale: [1, 0, 1] } })],
  ["a negative scale", "normalization", altered(good, { normalization: { mean, scale: [1, -1, 1] } })],
  ["a threshold of 0", "threshold", altered(good, { threshold: 0 })],
  ["a NaN threshold", "threshold", altered(good, { threshold: Number.NaN })],
  [
    "a last layer of another width",
    "network",
    altered(good, { network: { kind: "autoencoder", layers: [{ units: 2, activation: "linear" }] } }),
  ],
  ["more components than inputs", "network", altered(pca, { network: { ...samplePca, components: 4 } })],
  [
    "a Q limit of 0",
    "network",
    altered(pca, { network: { kind: "pca", components: 2, t2Limit: 1, qLimit: 0 } }),
  ],
  ["another weight count", "weights", altered(good, { weights: { ...manifest.weights, count: 61 } })],
  ["truncated weights", "weights", { ...good, weights: good.weights.slice(0, -1) }],
  ["a weight too many", "weights", { ...good, weights: Float32Array.of(...good.weights, 0) }],
  ["a NaN weight", "weights", { ...good, weights: good.weights.with(5, Number.NaN) }],
  ["an endless weight", "weights", { ...good, weights: good.weights.with(61, -Infinity) }],
  ["a component without variance", "weights", { ...pca, weights: pca.weights.with(7, 0) }],
  ["other weights", "golden", { ...good, weights: good.weights.with(5, (good.weights[5] ?? 0) + 0.01) }],
  ["another mean", "golden", altered(good, { normalization: { mean: mean.with(1, 9), scale } })],
  ["weights of another model", "golden", { ...good, weights: sampleBundle({ seed: 2 }).weights }],
  ["no golden vectors", "golden", altered(good, { golden: { inputs: [], scores: [] } })],
  ["a golden row too short", "golden", altered(good, { golden: { inputs: [[1, 2]], scores: [1] } })],
  ["a score too few", "golden", altered(good, { golden: { ...manifest.golden, scores: [1] } })],
  ["a NaN score", "golden", altered(good, { golden: { inputs: [[1, 2, 3]], scores: [Number.NaN] } })],
];

test.each(unfit)("%s is refused by the check of %s", (_, check, bundle) => {
  expect(failedCheck(bundle)).toBe(check);
});

test("golden scores may be off by less than a millionth, for another engine's tanh, and by no more", () => {
  const off = (by: number): Bundle =>
    altered(good, {
      golden: { ...manifest.golden, scores: manifest.golden.scores.map((score) => score * (1 + by)) },
    });
  expect(failedCheck(off(5e-7))).toBe("none");
  expect(failedCheck(off(-5e-7))).toBe("none");
  expect(failedCheck(off(2e-6))).toBe("golden");
});
