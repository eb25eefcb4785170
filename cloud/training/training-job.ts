import type { Network } from "@sluice/shared/contract/bundle.ts";

export type Layers = Extract<Network, { kind: "autoencoder" }>["layers"];

/** What the worker is given: normalised rows, row-major with `inputs` columns, and how to fit. */
export interface TrainingJob {
  readonly inputs: number;
  readonly fit: Float32Array;
  readonly heldOut: Float32Array;
  readonly layers: Layers;
  readonly seed: number;
  readonly epochsMax: number;
  readonly patienceEpochs: number;
  readonly batchRows: number;
  readonly learningRate: number;
  /** Where the WebAssembly files of TensorFlow.js are, with a slash at the end. */
  readonly wasmFolder: string;
}

export interface EpochReport {
  /** From 1. */
  readonly epoch: number;
  /** Mean squared error over the fitted rows while they were fitted, and over the held-out rows after it. */
  readonly loss: number;
  readonly heldOutLoss: number;
}

export interface TrainingOutcome {
  /** As in the bundle: for each layer its kernel, then its bias. */
  readonly weights: Float32Array;
  /** Library, backend and version. */
  readonly backend: string;
  readonly epochs: number;
  readonly bestEpoch: number;
  readonly loss: number;
  readonly heldOutLoss: number;
  /** Mean squared reconstruction error of each held-out row as TensorFlow.js computes it. */
  readonly heldOutScores: Float32Array;
  readonly warnings: readonly string[];
}

/** What the worker says. */
export type WorkerMessage =
  | { readonly type: "epoch"; readonly report: EpochReport }
  | { readonly type: "done"; readonly outcome: TrainingOutcome }
  | { readonly type: "diverged"; readonly epoch: number };
