import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { coreHash, findDuplicates } from "@sluice/cloud/feature-store/duplicates.ts";
import { diffViews, metricsOf } from "@sluice/cloud/feature-store/describe.ts";
import { lintFiles } from "@sluice/cloud/feature-store/lint.ts";
import { renderLint } from "@sluice/cloud/feature-store/render.ts";
import { findView } from "@sluice/cloud/feature-store/views.ts";
import { viewHash } from "@sluice/shared/codec/hash.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { expect, onTestFinished, test } from "vitest";
import { pumpView } from "./lake.ts";

const published = (view: FeatureView) => ({ view, hash: viewHash(view) });

/** Writes files into a folder that is gone after the test; returns their paths. */
async function filesOf(...contents: readonly unknown[]): Promise<readonly string[]> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-lint-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const paths: string[] = [];
  for (const [i, content] of contents.entries()) {
    const path = join(dir, `views-${i}.yaml`);
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
    paths.push(path);
  }
  return paths;
}

test("a view that is in order is named with its hash, also inside settings and lists", async () => {
  const view = pumpView();
  const files = await filesOf(view, [view], { features: { views: [view] } }, { models: [{ view }] });
  for (const linted of lintFiles(files, []))
    expect(linted).toMatchObject({
      views: [{ name: "pump_health", hash: viewHash(view) }],
      issues: [],
      warnings: [],
    });
});

test("every mistake is listed with its path and reason, of the schema and of what cannot be computed", async () => {
  const view = pumpView();
  const [schema, library, noYaml, missing] = lintFiles(
    [
      ...(await filesOf(
        { ...view, window: { kind: "hopping", sizeMs: 1_000, hopMs: 300 }, colour: "red" },
        [view, { ...view, features: [{ name: "a", fn: "meann", of: "level" }] }],
        "{ unclosed",
      )),
      "/nowhere/view.json",
    ],
    [],
  );
  expect(schema?.issues.map(({ path }) => path)).toContain("(the view)");
  expect(schema?.issues.map(({ reason }) => reason).join()).toMatch(/colour/);
  expect(library?.views).toHaveLength(1);
  expect(library?.issues).toEqual([{ path: "1.features.0.fn", reason: expect.stringContaining("meann") }]);
  expect(noYaml?.issues[0]?.reason).toContain("is not YAML");
  expect(missing?.issues[0]?.reason).toContain("cannot read /nowhere/view.json");
});

test("a view that another one already computes is a warning, in the lake and between files", async () => {
  const view = pumpView();
  const renamed = { ...view, name: "pump_state", owner: "somebody", description: "the same" };
  expect(coreHash(renamed)).toBe(coreHash(view));
  const files = await filesOf(renamed, { ...renamed, name: "third" });
  const [first, second] = lintFiles(files, [published(view)]);
  expect(first?.warnings).toEqual([
    expect.stringMatching(/^pump_state computes what pump_health@[0-9a-f]{12} of the lake/),
  ]);
  expect(second?.warnings).toHaveLength(2);
  expect(renderLint(lintFiles(files.slice(0, 1), [published(view)]))).toMatch(
    /views-0.yaml: warning: .*\n.*: in order: pump_state@/,
  );
  expect(lintFiles(await filesOf(view), [published(view)])[0]?.warnings).toEqual([]);
});

test("duplicates are found by what is computed, whatever it is called", () => {
  const view = pumpView();
  const same = published({
    ...view,
    name: "other",
    features: view.features.map((one) => ({ ...one, description: "x" })),
  });
  const different = published(pumpView({ ttlMs: 20_000 }));
  const found = findDuplicates([published(view), same, different]);
  expect(found.get(viewHash(view))).toEqual([same]);
  expect(found.has(different.hash)).toBe(false);
});

test("a view is found by its name or the beginning of its hash, and two of a name must be told apart", () => {
  const [a, b] = [published(pumpView()), published(pumpView({ ttlMs: 20_000 }))];
  const other = published(pumpView({ name: "motor" }));
  const views = [a, b, other];
  expect(findView(views, "motor")).toBe(other);
  expect(findView(views, a.hash.slice(0, 10))).toBe(a);
  expect(findView(views, `pump_health@${b.hash.slice(0, 6)}`)).toBe(b);
  expect(() => findView(views, "pump_health")).toThrow(/can mean 2 views/);
  expect(() => findView(views, "valve")).toThrow(/no view "valve"/);
});

test("what differs between two views is said by feature, input and window", () => {
  const view = pumpView();
  const after = pumpView({
    window: { kind: "tumbling", sizeMs: 2_000, allowedLatenessMs: 0 },
    inputs: { level: { metric: "level_m" }, flow: { metric: "flow" } },
    features: [
      { name: "level_max", fn: "max", of: "flow" },
      { name: "share", expr: "level_max / 2" },
    ],
  });
  expect(diffViews(view, view)).toEqual([]);
  expect(diffViews(view, after)).toEqual([
    "window.sizeMs: 1000 becomes 2000",
    'input level.metric: "level" becomes "level_m"',
    'input flow is new: {"metric":"flow"}',
    'feature level_mean is gone: {"fn":"mean","of":"level"}',
    'feature level_max.of: "level" becomes "flow"',
    'feature share is new: {"expr":"level_max / 2"}',
  ]);
  expect(diffViews(view, { ...view, name: "b" })).toEqual([
    'name: "pump_health" becomes "b"',
    "Both compute the same: only names or descriptions differ.",
  ]);
  expect(diffViews(view, { ...view, features: view.features.toReversed() })).toEqual([
    "the order of the features becomes level_max, level_mean",
  ]);
  expect(after.features.map((feature) => metricsOf(after, feature))).toEqual([["flow"], ["flow"]]);
});

test("mistakes of all kinds are listed at once, whichever of them the schema finds", async () => {
  const [linted] = lintFiles(
    await filesOf({
      ...pumpView(),
      owner: "",
      window: { kind: "hopping", sizeMs: 1_000, hopMs: 2_000 },
      features: [
        { name: "a", fn: "avg", of: "level" },
        { name: "a", fn: "mean", of: "nothing" },
        { name: "b", expr: "b + 1" },
      ],
    }),
    [],
  );
  expect(linted?.issues.map(({ path }) => path)).toEqual(
    expect.arrayContaining([
      "owner",
      "window.hopMs",
      "features.0.fn",
      "features.1.name",
      "features.1.of",
      "features.2.expr",
    ]),
  );
});

test("a view is checked against the contracts of gateways whose settings are linted with it", async () => {
  const view = { ...pumpView(), inputs: { level: { metric: "pressur", unit: "bar" } } };
  const clash = { ...pumpView(), inputs: { level: { metric: "pressure", unit: "g" } } };
  const contract = {
    deviceType: "pump",
    unknownMetrics: "quarantine",
    metrics: { pressure: { unit: "bar" } },
  };
  const files = await filesOf(view, { decode: { contracts: [contract] }, features: { views: [clash] } });
  expect(lintFiles(files, []).map(({ issues }) => issues)).toEqual([
    [{ path: "inputs.level.metric", reason: expect.stringContaining("did you mean pressure?") }],
    [{ path: "features.views.0.inputs.level.unit", reason: expect.stringContaining('is "g"') }],
  ]);
});
