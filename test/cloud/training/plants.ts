import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { seededRandom, type Random } from "@sluice/shared/runtime/random.ts";
import type { TrainingSet } from "../../../cloud/training/train.ts";

/** A view of `width` features over tumbling windows of one second; the functions do not matter here. */
export function plainView(width: number): FeatureView {
  return {
    name: "plant",
    entity: "device",
    owner: "test",
    description: "",
    match: { deviceType: "pump" },
    window: { kind: "tumbling", sizeMs: 1_000, allowedLatenessMs: 0, correctionMs: 0 },
    inputs: { level: { metric: "level" } },
    features: Array.from({ length: width }, (_, i) => ({ name: `f${i}`, fn: "mean", of: "level" })),
    ttlMs: 600_000,
  };
}

/**
 * A healthy machine: `width` features that follow three hidden causes, with a little noise of their own.
 * Feature i has mean 10 i and a scale of i + 1.
 */
export function healthyRow(width: number, random: Random): number[] {
  const causes = [random.normal(), random.normal(), random.normal()];
  return Array.from({ length: width }, (_, i) => {
    const mixed = causes.reduce((sum, cause, k) => sum + cause * Math.cos(1 + i * (k + 1)), 0);
    return 10 * i + (i + 1) * (mixed + 0.1 * random.normal());
  });
}

/** `rows` windows of one second in a row, from the beginning of time. */
export function windows(rows: number): { windowStartUs: Float64Array; windowEndUs: Float64Array } {
  return {
    windowStartUs: Float64Array.from({ length: rows }, (_, i) => i * 1_000_000),
    windowEndUs: Float64Array.from({ length: rows }, (_, i) => (i + 1) * 1_000_000),
  };
}

export function trainingSet(rows: readonly (readonly number[])[], width = rows[0]?.length ?? 1): TrainingSet {
  const view = plainView(width);
  return {
    id: "a".repeat(64),
    view,
    viewHash: "b".repeat(64),
    features: view.features.map((feature) => feature.name),
    train: { count: rows.length, ...windows(rows.length), values: Float64Array.from(rows.flat()) },
  };
}

export function healthySet(rows: number, width: number, seed = 1): TrainingSet {
  const random = seededRandom(seed);
  return trainingSet(Array.from({ length: rows }, () => healthyRow(width, random)));
}
