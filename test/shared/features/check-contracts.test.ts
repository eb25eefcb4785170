import { deviceContractSchema } from "@sluice/shared/contract/device-contract.ts";
import { featureViewSchema, type FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { checkContracts } from "@sluice/shared/features/check-contracts.ts";
import { expect, test } from "vitest";

const viewOf = (input: object): FeatureView =>
  featureViewSchema.parse({
    name: "test_view",
    owner: "tests",
    match: { deviceType: "pump" },
    window: { kind: "tumbling", sizeMs: 1_000 },
    inputs: { a: input },
    features: [{ name: "f", fn: "mean", of: "a" }],
  });

const contractOf = (contract: object) => [
  deviceContractSchema.parse({
    deviceType: "pump",
    metrics: { accel: { unit: "m/s²" }, rpm: {} },
    ...contract,
  }),
];

test("an input in another unit than its contract stores is refused, whatever unknown metrics may do", () => {
  expect(checkContracts(viewOf({ metric: "accel", unit: "g" }), contractOf({}))).toEqual([
    {
      path: ["inputs", "a", "unit"],
      message: 'is "g", but the contract of pump stores accel in "m/s²"',
    },
  ]);
});

test("a metric that the contract sets aside is refused, and the one that may be meant is named", () => {
  const strict = contractOf({ unknownMetrics: "quarantine" });
  expect(checkContracts(viewOf({ metric: "acel" }), strict)).toEqual([
    {
      path: ["inputs", "a", "metric"],
      message: '"acel" is no metric of the contract of pump, which sets others aside; did you mean accel?',
    },
  ]);
});

test.each([
  ["one unit in other words", { metric: "accel", unit: "m/s^2" }, contractOf({})],
  ["a unit that only one side states", { metric: "rpm", unit: "1/min" }, contractOf({})],
  ["no stated unit", { metric: "accel" }, contractOf({})],
  ["a metric that the contract lets in", { metric: "other", unit: "g" }, contractOf({})],
  ["a contract of another type", { metric: "accel", unit: "g" }, contractOf({ deviceType: "fan" })],
  ["no contract", { metric: "accel", unit: "g" }, []],
])("%s is in order", (_what, input, contracts) => {
  expect(checkContracts(viewOf(input), contracts)).toEqual([]);
});
