import type { Bundle } from "@sluice/shared/contract/bundle.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { expect, test } from "vitest";
import { openParts } from "../crash/pipeline-parts.ts";
import { sampleBundle } from "../shared/model/sample-bundle.ts";
import { tempFolder } from "./buffer/fixtures.ts";

/** A bundle of another version with something else in its view. */
function withView(change: Partial<Bundle["manifest"]["view"]>): Bundle {
  const bundle = sampleBundle({ version: 2 });
  const view = { ...bundle.manifest.view, ...change };
  return { ...bundle, manifest: { ...bundle.manifest, view } };
}

const { inputs } = sampleBundle().manifest.view;

test.each([
  ["has a function that this library lacks", { features: [{ name: "a", fn: "of_next_year", of: "accel" }] }],
  [
    "reads a metric in a unit that the contract does not store",
    { inputs: { ...inputs, accel: { metric: "accel", unit: "bar" } } },
  ],
])("a model whose view %s is refused, and the one before it goes on with its windows", (_what, change) => {
  const contracts = [{ deviceType: "pump", metrics: { accel: { unit: "g" } } }];
  const parts = openParts(tempFolder(), silentLog, { contracts });
  parts.pipeline.swap(sampleBundle({ version: 1 }));
  const before = parts.pipeline.features.views();
  expect(() => parts.pipeline.swap(withView(change))).toThrow(
    expect.objectContaining({ code: "view.invalid" }),
  );
  expect(parts.inference.slot()).toMatchObject({ state: "ready", model: { version: 1 } });
  parts.pipeline.begin();
  expect(parts.pipeline.features.views()).toEqual(before);
  parts.close();
});
