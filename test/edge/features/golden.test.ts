// Each folder of test/golden/features is a case: view.json, input.json the readings as they came (device, metric,
// milliseconds of event time, value), expected.json the vectors in order. Where the definition of a feature has changed,
// `npx vitest run test/edge/features/golden.test.ts -u` writes the vectors of today: read what changed before keeping it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { expect, test } from "vitest";
import { FeatureStage } from "../../../edge/features/feature-stage.ts";
import { blockOf } from "../../shared/features/readings.ts";

const root = join(import.meta.dirname, "../../golden/features");
const cases = readdirSync(root);

type InputReading = readonly [device: string, metric: string, atMs: number, value: number];

test("there are cases", () => {
  expect(cases.length).toBeGreaterThan(3);
});

test.each(cases)("%s is computed as expected, to the bit", async (name) => {
  const read = (file: string): string => readFileSync(join(root, name, file), "utf8");
  const stage = new FeatureStage([featureViewSchema.parse(JSON.parse(read("view.json")))], 0);
  const input: readonly InputReading[] = JSON.parse(read("input.json"));
  const readings = input.map(([device, metric, atMs, value]) => ({
    device,
    metric,
    atMs,
    value,
  }));
  const vectors = stage.process(blockOf(readings)).map((vector) => ({
    window: `${vector.device} ${vector.windowStartUs / 1_000}-${vector.windowEndUs / 1_000} r${vector.revision}`,
    by: vector.throughOffset,
    readings: vector.readingCount,
    values: vector.values.map((value) => value ?? null),
  }));
  const made = `${JSON.stringify({ vectors, counters: stage.counters() }, undefined, 2)}\n`;
  await expect(made).toMatchFileSnapshot(join(root, name, "expected.json"));
});
