import { expect, test } from "vitest";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { buildDataset } from "../../../cloud/dataset/dataset.ts";
import { datasetKey, putDatasetManifest } from "../../../cloud/dataset/manifest.ts";
import { hops, label, lakeOf, spec } from "./lake.ts";

test("a training set's manifest is in the lake under its id, and putting it twice changes nothing", async () => {
  const lake = lakeOf(hops(20), [label("wear", [20, 30]), label("wear", [0, 9], { device: "pump-9" })]);
  const { id, manifest } = await buildDataset(lake, spec());
  const store = new MemoryStore();
  await putDatasetManifest(store, manifest);
  await putDatasetManifest(store, manifest);
  const found = await store.get(datasetKey(id));
  expect(found.state).toBe("found");
  if (found.state !== "found") return;
  const read: unknown = JSON.parse(new TextDecoder().decode(found.object.body));
  expect(read).toEqual(manifest);
  // Of the two labels one touches no row.
  expect(read).toMatchObject({
    id,
    devices: 1,
    gateways: ["site-1"],
    labels: [{ device: "pump-1", label: "wear" }],
  });
});
