import { z } from "zod";
import { featureViewSchema } from "./feature-view.ts";
import { keyNameSchema } from "./ids.ts";

const hex256 = z.string().regex(/^[0-9a-f]{64}$/, "a SHA-256 in hex");

/** The names of a bundle's three objects below `versionPrefix`. */
export const BUNDLE_FILES = {
  manifest: "bundle.json",
  weights: "weights.bin",
  signature: "signature",
} as const;

export const ACTIVATIONS = ["linear", "relu", "tanh", "sigmoid"] as const;

/**
 * How an input vector becomes a score. Inputs are normalised first: (value - mean) / scale; a missing one is 0.
 *
 * - autoencoder: dense layers from n inputs back to n outputs; the score is the mean squared reconstruction error.
 *   weights.bin: for each layer its kernel [inputs x units], row-major by input, then its bias [units].
 * - pca: the score is max(T² / t2Limit, Q / qLimit) (Jackson & Mudholkar 1979).
 *   weights.bin: the components [components x n], row-major, then their variances [components].
 */
const networkSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("autoencoder"),
    layers: z
      .array(z.strictObject({ units: z.int().min(1).max(4_096), activation: z.enum(ACTIVATIONS) }))
      .min(1)
      .max(16),
  }),
  z.strictObject({
    kind: z.literal("pca"),
    components: z.int().min(1).max(512),
    t2Limit: z.number().positive(),
    qLimit: z.number().positive(),
  }),
]);

/** What training says of itself. */
const trainingSchema = z.strictObject({
  datasetId: hex256,
  rows: z.int().min(1),
  fromUs: z.int(),
  toUs: z.int(),
  codeVersion: z.string(),
  seed: z.int(),
  /** Library, backend and version: "tfjs-wasm 4.22.0", "sluice-pca 1". */
  backend: z.string(),
  trainedAtUs: z.int(),
  metrics: z.record(z.string(), z.number()),
});

/** Which quantiles of an input's training rows a profile has. */
export const PROFILE_SHARES = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999] as const;

/** The distribution of one input in training, in the unit of the feature. */
const profileSchema = z.strictObject({
  /** One for each of PROFILE_SHARES, ascending. */
  quantiles: z.array(z.number()).length(PROFILE_SHARES.length),
  /** The share of training rows without a value. */
  missingShare: z.number().min(0).max(1),
});

export type FeatureProfile = z.infer<typeof profileSchema>;

/** The newest bundle format that this code reads and the one that it writes. */
export const BUNDLE_FORMAT_VERSION = 1;

/** `bundle.json`: everything that a gateway needs beside the weights. The signature is over its canonical JSON. */
export const bundleManifestSchema = z
  .strictObject({
    formatVersion: z.int(),
    model: keyNameSchema,
    version: z.int().min(1),
    task: z.literal("anomaly"),
    view: featureViewSchema,
    viewHash: hex256,
    /** Names of the view's features that the model takes, in order. */
    inputs: z.array(z.string()).min(1),
    normalization: z.strictObject({ mean: z.array(z.number()), scale: z.array(z.number().positive()) }),
    network: networkSchema,
    /** A score at or above it is anomalous. */
    threshold: z.number().positive(),
    weights: z.strictObject({ sha256: hex256, count: z.int().min(1) }),
    training: trainingSchema,
    /** What each input looked like in training; without it nothing says what the model has not seen. */
    profile: z.array(profileSchema).optional(),
    /** Input rows (null: missing) and the score that this model must give for each. */
    golden: z.strictObject({
      inputs: z.array(z.array(z.number().nullable())).min(1),
      scores: z.array(z.number()).min(1),
    }),
  })
  .superRefine((manifest, context) => {
    const n = manifest.inputs.length;
    const names = new Set(manifest.view.features.map((feature) => feature.name));
    const sizes = [
      ["normalization.mean", manifest.normalization.mean.length],
      ["normalization.scale", manifest.normalization.scale.length],
      ...(manifest.profile === undefined ? [] : [["profile", manifest.profile.length] as const]),
      ...manifest.golden.inputs.map((row, i) => [`golden.inputs.${i}`, row.length] as const),
    ] as const;
    for (const [path, size] of sizes)
      if (size !== n)
        context.addIssue({
          code: "custom",
          path: path.split("."),
          message: `has ${size} entries, inputs has ${n}`,
        });
    if (manifest.golden.inputs.length !== manifest.golden.scores.length)
      context.addIssue({
        code: "custom",
        path: ["golden", "scores"],
        message: "must be as many as golden.inputs",
      });
    for (const [position, name] of manifest.inputs.entries())
      if (!names.has(name))
        context.addIssue({
          code: "custom",
          path: ["inputs", position],
          message: `"${name}" is not in the view`,
        });
  });

export type BundleManifest = z.infer<typeof bundleManifestSchema>;
export type Network = BundleManifest["network"];

/** The `signature` file: Ed25519 over the UTF-8 of the manifest's canonical JSON. */
export const bundleSignatureSchema = z.strictObject({
  algorithm: z.literal("ed25519"),
  /** First 16 hex digits of the SHA-256 of the public key (SPKI, DER). */
  keyId: z.string().regex(/^[0-9a-f]{16}$/),
  signature: z.base64(),
});
export type BundleSignature = z.infer<typeof bundleSignatureSchema>;

/** A bundle in memory, as trained or as downloaded. */
export interface Bundle {
  readonly manifest: BundleManifest;
  readonly weights: Float32Array;
}
