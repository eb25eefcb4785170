import { expect, test } from "vitest";
import { featuresSettingsSchema } from "../../../edge/features/settings.ts";
import { viewOf } from "../../shared/features/readings.ts";

test("no views is a valid setting, and parsed settings parse to themselves", () => {
  expect(featuresSettingsSchema.parse({})).toEqual({ views: [] });
  const settings = featuresSettingsSchema.parse({ views: [viewOf([{ fn: "mean" }])] });
  expect(featuresSettingsSchema.parse(settings)).toEqual(settings);
});

test("a view with a function that does not exist is refused with the path, as one with a wrong window is", () => {
  const view = viewOf([{ fn: "mean" }, { fn: "averge" }, { fn: "quantile", with: { q: 2 } }]);
  const { error } = featuresSettingsSchema.safeParse({ views: [view] });
  expect(error?.issues.map((issue) => issue.path.join("."))).toEqual([
    "views.0.features.1.fn",
    "views.0.features.2.with.q",
  ]);
  const window = { kind: "hopping", sizeMs: 1_000, hopMs: 300 };
  const wrong = featuresSettingsSchema.safeParse({ views: [{ ...viewOf([{ fn: "mean" }]), window }] });
  expect(wrong.error?.issues.map((issue) => issue.path.join("."))).toEqual(["views.0.window.hopMs"]);
});
