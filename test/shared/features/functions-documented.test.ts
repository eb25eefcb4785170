// Goal: docs/features.md says what the library has, and its views can be computed. Method: the table is made from the
// registry and put into the page, which must not change by it (`vitest -u` writes it); each view is checked, and on
// recorded data, where there is some, each of its features must have a value.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { checkView } from "@sluice/shared/features/check-view.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import type { FeatureFunction, SettingRule } from "@sluice/shared/features/functions/function.ts";
import { FUNCTIONS } from "@sluice/shared/features/functions/registry.ts";
import { format, resolveConfig } from "prettier";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { WAVEFORM } from "./functions-all.ts";
import { blockOf, type TestReading } from "./readings.ts";

const docs = join(import.meta.dirname, "../../../docs");
const page = join(docs, "features.md");

const GROUPS: readonly (readonly [title: string, belongs: (fn: FeatureFunction) => boolean])[] = [
  ["Of one input in one window", ({ kind, name }) => kind === "one input" && !WAVEFORM.test(name)],
  ["Of a waveform: one input with evenly spaced readings", ({ name }) => WAVEFORM.test(name)],
  ["Of two inputs", ({ kind, name }) => kind === "two inputs" && !WAVEFORM.test(name)],
  ["Of the history of a device", ({ kind }) => kind === "stateful"],
  ["Of the calendar, without an input", ({ kind }) => kind === "no input"],
];

const { MAX_VALUE } = Number;

function settingsOf(fn: FeatureFunction): string {
  const parts = Object.entries(fn.settings ?? {}).map(([name, rule]) => {
    const otherwise = rule.default === undefined ? "" : ` (${rule.default})`;
    return `\`${name}\` ${rangeOf(rule)}${rule.optional === true ? ", optional" : otherwise}`;
  });
  return parts.join("; ");
}

function rangeOf(rule: SettingRule): string {
  if ("refuse" in rule) return rule.says;
  const { min, max, whole } = rule;
  const range = max === MAX_VALUE ? (min === -MAX_VALUE ? "any number" : `from ${min}`) : `${min} to ${max}`;
  return `${whole === true ? "whole, " : ""}${range}`;
}

function tableOf(functions: readonly FeatureFunction[]): string {
  const rows = functions.map(
    (fn) =>
      `| \`${fn.name}\` | ${fn.summary.replaceAll("|", String.raw`\|`)} | ${settingsOf(fn)} | \`${fn.unit}\` |`,
  );
  return ["| `fn` | what it is | `with` | unit |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

test("the table of the page is that of the registry", async () => {
  const text = readFileSync(page, "utf8");
  const all = [...FUNCTIONS.values()];
  const groups = GROUPS.map(([title, belongs]) => `### ${title}\n\n${tableOf(all.filter(belongs))}\n`);
  expect(GROUPS.flatMap(([, belongs]) => all.filter(belongs))).toHaveLength(all.length);
  const made = text.replace(
    /(<!-- The table follows[^\n]*\n)[^]*(<!-- end of the table -->)/,
    (_, before: string, after: string) => `${before}\n${groups.join("\n")}\n${after}`,
  );
  const config = await resolveConfig(page);
  await expect(await format(made, { ...config, parser: "markdown" })).toMatchFileSnapshot(page);
});

const files = readdirSync(join(docs, "views"));
const viewOfFile = (file: string) =>
  featureViewSchema.parse(parse(readFileSync(join(docs, "views", file), "utf8")));

test("every view that the page shows can be computed, and every view beside it is shown", () => {
  const text = readFileSync(page, "utf8");
  const shown = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml = ""]) => parse(yaml));
  expect(shown.map((view) => checkView(featureViewSchema.parse(view)))).toEqual([[]]);
  const linked = [...text.matchAll(/\(views\/(.*?)\)/g)].map(([, file]) => file);
  expect(new Set(linked)).toEqual(new Set(files));
});

test.each(files)("%s has no mistake, and says the unit of whatever has one", (file) => {
  expect(checkView(viewOfFile(file))).toEqual([]);
});

const dataDir = process.env["SLUICE_DATA"] ?? join(import.meta.dirname, "../../../../shared/data");
const HOUR_MS = 3_600_000;

/** Rows of a recording as readings: each cell under the name of its column. */
function readingsOf(
  rows: readonly (readonly (string | undefined)[])[],
  metrics: readonly string[],
  place: (row: readonly (string | undefined)[], i: number) => { atMs: number; device: string },
): TestReading[] {
  return rows.flatMap((row, i) =>
    metrics.flatMap((metric, column) =>
      metric === "" ? [] : [{ ...place(row, i), metric, value: Number(row[column]) }],
    ),
  );
}

const linesOf = (file: string, separator: string | RegExp): string[][] =>
  readFileSync(join(dataDir, file), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.trim().split(separator));

const TURBOFAN = ",,,,,,T24,T30,T50,,,P30,Nf,Nc,,Ps30,phi,NRf,NRc,BPR,,htBleed,,,W31,W32".split(",");

const RECORDED: readonly (readonly [file: string, deviceType: string, readings: () => TestReading[]])[] = [
  [
    "pump-health.yaml",
    "pump",
    () => {
      const [header = [], ...rows] = linesOf("skab/data/valve1/0.csv", ";");
      const metrics = header.map((name) => (/datetime|anomaly|changepoint/.test(name) ? "" : name));
      return readingsOf(rows, metrics, ([time = ""]) => ({ atMs: Date.parse(`${time}Z`), device: "pump" }));
    },
  ],
  [
    "turbofan-life.yaml",
    "turbofan",
    () =>
      readingsOf(linesOf("cmapss/train_FD001.txt", /\s+/).slice(0, 600), TURBOFAN, ([unit, cycle]) => ({
        atMs: Number(cycle) * HOUR_MS,
        device: `engine-${unit}`,
      })),
  ],
  [
    "gas-turbine-emissions.yaml",
    "gas-turbine",
    () => {
      const [header = [], ...rows] = linesOf("gas-turbine/gt_2011.csv", ",");
      return readingsOf(rows.slice(0, 500), header, (_, i) => ({ atMs: (i + 1) * HOUR_MS, device: "gt" }));
    },
  ],
];

const there = existsSync(join(dataDir, "skab/data"));
if (!there)
  console.error(
    `SKIPPED: the views of docs/features.md see no recording: there is no ${dataDir}; set SLUICE_DATA.`,
  );

test.skipIf(!there).each(RECORDED)(
  "on recorded data every feature of %s has a value",
  (file, deviceType, readings) => {
    const view = viewOfFile(file);
    const block = blockOf(readings().map((reading) => ({ ...reading, deviceType })));
    const vectors = new WindowEngine(view, "hash", 0).process(block);
    expect(vectors.length).toBeGreaterThan(50);
    const empty = view.features.filter((_, i) => vectors.every(({ values }) => values[i] === undefined));
    expect(empty.map(({ name }) => name)).toEqual([]);
  },
);
