import type { BundleManifest, Network } from "../contract/bundle.ts";
import { createDense, denseWeightCount } from "./dense.ts";
import { createPca, pcaWeightCount } from "./pca.ts";

/** What scoring needs of a bundle: a model in training has this before it has a version. */
export interface ScorerSource {
  readonly manifest: Pick<BundleManifest, "inputs" | "normalization" | "network">;
  readonly weights: Float32Array;
}

export interface Score {
  /** Finite and not negative; the larger, the stranger. An overflow is Number.MAX_VALUE, never NaN. */
  readonly score: number;
  readonly missingCount: number;
  /** Each input's share of the score, in the order of `inputs`; they add up to 1. The scorer's own buffer: the next
   * call overwrites it. */
  readonly contributions: Float64Array;
}

export interface Scorer {
  readonly inputs: readonly string[];
  /**
   * Scores one row, its values in the order of `inputs`. A value that is undefined or not finite is missing and
   * taken as average.
   */
  score(values: ArrayLike<number | undefined>): Score;
}

/** How many weights a network over `inputs` inputs has. */
export function weightCount(network: Network, inputs: number): number {
  return network.kind === "pca"
    ? pcaWeightCount(network.components, inputs)
    : denseWeightCount(network.layers, inputs);
}

/**
 * Prepares a model for scoring, as shared/contract/bundle.ts defines it. Keeps its own copy of the weights.
 *
 * Contributions: an autoencoder's are the shares of the squared reconstruction errors, PCA's the shares of the larger
 * statistic (see `createPca`). Where the score is 0 all shares are equal.
 * Throws a RangeError where the number of weights or outputs is not the network's; `checkBundle` says more.
 */
export function createScorer({ manifest, weights }: ScorerSource): Scorer {
  const { inputs, normalization, network } = manifest;
  const mean = Float64Array.from(normalization.mean);
  const scale = Float64Array.from(normalization.scale);
  const row = new Float64Array(inputs.length);
  const contributions = new Float64Array(inputs.length);
  const run = createNetwork(network, inputs.length, weights);
  return {
    inputs,
    score(values) {
      let missingCount = 0;
      for (let i = 0; i < row.length; i++) {
        const value = values[i];
        if (value === undefined || !Number.isFinite(value)) {
          row[i] = 0;
          missingCount++;
        } else row[i] = (value - (mean[i] ?? 0)) / (scale[i] ?? 1);
      }
      const raw = run(row, contributions);
      toShares(contributions);
      return { score: Number.isFinite(raw) ? raw : Number.MAX_VALUE, missingCount, contributions };
    },
  };
}

/** Fills `parts` and returns the raw score of a normalised row. */
type RunNetwork = (row: Float64Array, parts: Float64Array) => number;

function createNetwork(network: Network, inputs: number, weights: Float32Array): RunNetwork {
  if (network.kind === "pca") {
    const pca = createPca(network, inputs, weights);
    return (row, parts) => pca.run(row, parts);
  }
  const outputs = network.layers.at(-1)?.units;
  if (outputs !== inputs)
    throw new RangeError(
      `an autoencoder gives back its ${inputs} inputs, the last layer has ${outputs} units`,
    );
  const dense = createDense(network.layers, inputs, weights);
  return (row, parts) => {
    const output = dense.run(row);
    let sum = 0;
    for (let i = 0; i < row.length; i++) {
      const part = ((row[i] ?? 0) - (output[i] ?? 0)) ** 2;
      parts[i] = part;
      sum += part;
    }
    return sum / row.length;
  };
}

/** Turns non-negative parts into shares that add up to 1; parts that are not finite outweigh all others. */
function toShares(parts: Float64Array): void {
  let largest = 0;
  let unboundedCount = 0;
  for (const part of parts) {
    if (!Number.isFinite(part)) unboundedCount++;
    else if (part > largest) largest = part;
  }
  if (unboundedCount > 0) {
    for (let i = 0; i < parts.length; i++) parts[i] = Number.isFinite(parts[i]) ? 0 : 1 / unboundedCount;
    return;
  }
  if (largest === 0) {
    parts.fill(1 / parts.length);
    return;
  }
  // By the largest first, so that neither the sum overflows nor a tiny one loses its digits.
  let sum = 0;
  for (let i = 0; i < parts.length; i++) {
    const part = (parts[i] ?? 0) / largest;
    parts[i] = part;
    sum += part;
  }
  for (let i = 0; i < parts.length; i++) parts[i] = (parts[i] ?? 0) / sum;
}
