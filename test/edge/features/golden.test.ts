// Each folder of test/golden/features is a case: view.json, input.json the readings as they came (device, metric,
// milliseconds of event time, value), expected.json the vectors in order.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { expect, test } from "vitest";
import { z } from "zod";
import { FeatureStage } from "../../../edge/features/feature-stage.ts";
import { blockOf } from "../../shared/features/readings.ts";

const root = join(import.meta.dirname, "../../golden/features");
const cases = readdirSync(root);

const inputSchema = z.array(z.tuple([z.string(), z.string(), z.number(), z.number()]));

test("there are cases", () => {
  expect(cases.length).toBeGreaterThan(3);
});

test.each(cases)("%s is computed as expected, to the bit", (name) => {
  const read = (file: string): unknown => JSON.parse(readFileSync(join(root, name, file), "utf8"));
  const stage = new FeatureStage([featureViewSchema.parse(read("view.json"))], 0);
  const readings = inputSchema.parse(read("input.json")).map(([device, metric, atMs, value]) => ({
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
  expect({ vectors, counters: stage.counters() }).toEqual(read("expected.json"));
});
