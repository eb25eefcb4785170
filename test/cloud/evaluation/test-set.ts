import type { Model } from "../../../cloud/evaluation/measure.ts";
import { evaluationSettingsSchema } from "../../../cloud/evaluation/settings.ts";
import type { TestRows } from "../../../cloud/evaluation/test-rows.ts";
import { plainView, windows } from "../training/plants.ts";

export const settings = evaluationSettingsSchema.parse({});

/** Windows of one second of one device, one feature; `anomalous` says which are faulty. */
export function testRows(
  values: readonly number[],
  anomalous: readonly (0 | 1)[] = values.map(() => 0),
): TestRows {
  return {
    count: values.length,
    gateway: values.map(() => "site-1"),
    device: values.map(() => "pump-1"),
    ...windows(values.length),
    values: Float64Array.from(values),
    anomalous: Uint8Array.from(anomalous),
  };
}

/**
 * A model of one feature whose score is the value squared: a linear model of one component, T² of variance 1, or an
 * autoencoder that always gives back 0.
 */
export function squareModel(kind: "pca" | "autoencoder", threshold: number): Model {
  const network =
    kind === "pca"
      ? { kind, components: 1, t2Limit: 1, qLimit: 1 }
      : { kind, layers: [{ units: 1, activation: "linear" as const }] };
  return {
    manifest: {
      formatVersion: 1,
      model: "pump_health",
      task: "anomaly",
      view: plainView(1),
      viewHash: "b".repeat(64),
      inputs: ["f0"],
      normalization: { mean: [0], scale: [1] },
      network,
      threshold,
      weights: { sha256: "c".repeat(64), count: 2 },
      training: {
        datasetId: "a".repeat(64),
        rows: 100,
        fromUs: -100_000_000,
        toUs: 0,
        codeVersion: "test",
        seed: 1,
        backend: "by hand",
        trainedAtUs: 0,
        metrics: {},
      },
      golden: { inputs: [[2]], scores: [4] },
    },
    weights: kind === "pca" ? Float32Array.of(1, 1) : Float32Array.of(0, 0),
  };
}
