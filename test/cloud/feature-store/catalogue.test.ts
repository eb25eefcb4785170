import { readCatalogue } from "@sluice/cloud/feature-store/catalogue.ts";
import { datasetsOf } from "@sluice/cloud/feature-store/datasets.ts";
import { renderCatalogue, renderView } from "@sluice/cloud/feature-store/render.ts";
import { publishView } from "@sluice/cloud/feature-store/views.ts";
import { type BundleDraft, Registry } from "@sluice/cloud/registry/registry.ts";
import { generateKeyPair } from "@sluice/shared/codec/signature.ts";
import type { ReportedState } from "@sluice/shared/contract/fleet.ts";
import { reportedKey, viewKey } from "@sluice/shared/contract/lake-key.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { expect, test } from "vitest";
import { land, vector } from "../lake/rows.ts";
import { sampleBundle } from "../../shared/model/sample-bundle.ts";
import { EPOCH, openLake, pumpView } from "./lake.ts";

const clock = systemClock;
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test("an empty lake has no views, and what is no view is named", async () => {
  const { store, lake } = await openLake();
  expect(renderCatalogue(await readCatalogue({ store, lake, clock }))).toBe(
    "There are no views in the lake yet.",
  );
  await store.put(viewKey("a".repeat(64)), bytes({ name: "x" }));
  const { unreadable } = await readCatalogue({ store, lake, clock });
  expect(unreadable).toEqual([`${viewKey("a".repeat(64))}: is not the view that its name says`]);
});

test("each view has its vectors, its models, its gateways and those that compute the same", async () => {
  const { store, lake } = await openLake();
  const { manifest, weights } = sampleBundle({});
  const view = manifest.view;
  const hash = await publishView(store, view);
  const copy = await publishView(store, { ...view, name: "copy", owner: "somebody else" });
  await publishView(store, pumpView());

  const { privateKeyPem, publicKeyPem } = generateKeyPair();
  const registry = await Registry.open({
    store,
    model: "pump-health",
    privateKeyPem,
    publicKeysPem: [publicKeyPem],
    clock,
  });
  const draft: BundleDraft = manifest;
  await registry.register(draft, weights);
  await registry.setAlias("champion", await registry.register(draft, weights), { who: "test", why: "" });
  const report: ReportedState = {
    formatVersion: 1,
    gateway: "gw-1",
    epoch: EPOCH,
    softwareVersion: "0",
    reportedAtUs: 1,
    desiredRevision: 0,
    viewHashes: [hash],
    counters: {},
  };
  await store.put(reportedKey("gw-1"), bytes(report));
  const rows = [0, 1].map((seq) => vector(seq, { viewHash: hash, view: view.name }));
  const filled = "0198a6d2-8c1f-8a5e-9d3b-2f6f0c9a1b7e";
  await land(store, { stream: "features", gateway: "gw-1", epoch: EPOCH, from: 0, to: 1 }, [rows]);
  await land(store, { stream: "features", gateway: "gw-1", epoch: filled, from: 0, to: 0 }, [
    rows.slice(0, 1),
  ]);
  await store.put(`datasets/${"b".repeat(64)}.json`, bytes({ viewHash: hash }));
  await lake.commitLanding();

  const catalogue = await readCatalogue({ store, lake, clock });
  const row = catalogue.rows.find((one) => one.hash === hash);
  if (row === undefined) throw new Error("the view is listed");
  expect(row).toMatchObject({
    vectors: 3,
    backfilled: 1,
    newest: "2026-11-21T00:01:10.000Z",
    gateways: ["gw-1"],
  });
  expect(row.models.map(({ version, isChampion }) => [version, isChampion])).toEqual([
    [1, false],
    [2, true],
  ]);
  expect(row.duplicates.map((other) => other.hash)).toEqual([copy]);

  const text = renderCatalogue(catalogue);
  expect(text).toContain("pump-health 1, pump-health 2 (champion)");
  const [first, second] = [`copy@${copy.slice(0, 12)}`, `${view.name}@${hash.slice(0, 12)}`];
  expect(text.split("\n").slice(4)).toEqual([
    `${first} computes the same as ${second}: one of them is enough.`,
  ]);
  const datasets = await datasetsOf(store, hash);
  expect(datasets).toEqual(["b".repeat(64)]);
  expect(renderView(view, row, datasets)).toMatch(/datasets +bbbbbbbbbbbb/);
});
