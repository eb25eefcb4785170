import { sha256Hex, viewHash } from "@sluice/shared/codec/hash.ts";
import type { Bundle, Network } from "@sluice/shared/contract/bundle.ts";
import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { createScorer, weightCount } from "@sluice/shared/model/scorer.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";

export interface SampleOptions {
  readonly model?: string;
  readonly version?: number;
  readonly seed?: number;
  readonly threshold?: number;
  readonly inputs?: readonly string[];
  readonly network?: Network;
}

/** The features of the sample view, in order. */
export const SAMPLE_FEATURES = ["accel_rms", "accel_max", "flow_mean", "flow_std", "temp_last"];

export const SAMPLE_INPUTS = ["flow_mean", "accel_rms", "temp_last"];

const sampleView = featureViewSchema.parse({
  name: "pump_health",
  owner: "reliability",
  match: { deviceType: "pump" },
  window: { kind: "hopping", sizeMs: 60_000, hopMs: 10_000 },
  inputs: { accel: { metric: "accel" }, flow: { metric: "flow" }, temp: { metric: "temp" } },
  features: [
    { name: "accel_rms", fn: "rms", of: "accel", unit: "g" },
    { name: "accel_max", fn: "max", of: "accel" },
    { name: "flow_mean", fn: "mean", of: "flow" },
    { name: "flow_std", fn: "std", of: "flow" },
    { name: "temp_last", fn: "last", of: "temp" },
  ],
});

export const sampleAutoencoder = (inputs: number): Network => ({
  kind: "autoencoder",
  layers: [
    { units: 6, activation: "tanh" },
    { units: 2, activation: "relu" },
    { units: 7, activation: "sigmoid" },
    { units: inputs, activation: "linear" },
  ],
});

export const samplePca = { kind: "pca", components: 2, t2Limit: 9, qLimit: 3 } as const satisfies Network;

/** Uniform weights in (-1, 1), with the variances of principal components above 0. */
export function sampleWeights(network: Network, inputs: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  const variances = network.kind === "pca" ? network.components : 0;
  const count = weightCount(network, inputs);
  return Float32Array.from({ length: count }, (_, i) =>
    i >= count - variances ? 0.1 + random.next() : random.next() * 2 - 1,
  );
}

/** The SHA-256 of weights as little-endian floats, spelled out byte by byte. */
export function weightsSha256(weights: Float32Array): string {
  const view = new DataView(new ArrayBuffer(weights.length * 4));
  for (const [i, weight] of weights.entries()) view.setFloat32(i * 4, weight, true);
  return sha256Hex(new Uint8Array(view.buffer));
}

/** A complete bundle of random weights that passes every check; `seed` makes another model of the same shape. */
export function sampleBundle(options: SampleOptions = {}): Bundle {
  const { model = "pump-health", version = 1, seed = 1, threshold = 2, inputs = SAMPLE_INPUTS } = options;
  const network = options.network ?? sampleAutoencoder(inputs.length);
  const weights = sampleWeights(network, inputs.length, seed);
  const random = seededRandom(seed + 1_000);
  const normalization = {
    mean: inputs.map(() => random.normal()),
    scale: inputs.map(() => 0.5 + random.next()),
  };
  const rows = Array.from({ length: 4 }, (_, r) =>
    inputs.map((_, i) => (r === 3 && i === 0 ? null : random.normal() * 3)),
  );
  const scorer = createScorer({ manifest: { inputs: [...inputs], normalization, network }, weights });
  return {
    weights,
    manifest: {
      formatVersion: 1,
      model,
      version,
      task: "anomaly",
      view: sampleView,
      viewHash: viewHash(sampleView),
      inputs: [...inputs],
      normalization,
      network,
      threshold,
      weights: { sha256: weightsSha256(weights), count: weights.length },
      training: {
        datasetId: "ab".repeat(32),
        rows: 1_000,
        fromUs: 0,
        toUs: 3_600_000_000,
        codeVersion: "0.1.0",
        seed,
        backend: "test 1",
        trainedAtUs: 3_700_000_000,
        metrics: { loss: 0.25 },
      },
      golden: {
        inputs: rows,
        scores: rows.map((row) => scorer.score(row.map((value) => value ?? undefined)).score),
      },
    },
  };
}
