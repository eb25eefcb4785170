import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { BackfillResult } from "./backfill.ts";
import type { Catalogue, CatalogueRow } from "./catalogue.ts";
import { describeFeature, metricsOf, unitsOf } from "./describe.ts";
import type { JoinSummary } from "./join.ts";
import type { LintedFile } from "./lint.ts";
import { renderTable } from "./table.ts";
import { type PublishedView, shortHash } from "./views.ts";

const number = (value: number): string => value.toLocaleString("en");
const named = ({ view, hash }: PublishedView): string => `${view.name}@${shortHash(hash)}`;

/** All views as a table, and below it what should not be overlooked. Pure. */
export function renderCatalogue({ rows, unreadable }: Catalogue): string {
  if (rows.length === 0) return ["There are no views in the lake yet.", ...unreadable].join("\n");
  const table = renderTable(
    ["view", "hash", "owner", "of", "window", "features", "vectors", "newest window", "models", "gateways"],
    rows.map((row) => [
      row.name,
      shortHash(row.hash),
      row.owner,
      `${row.entity} (${row.deviceType})`,
      row.window,
      row.features,
      row.vectors,
      row.newest ?? "-",
      modelNames(row) || "-",
      row.gateways.join(", ") || "-",
    ]),
  );
  // Each group once, by its first view.
  const seen = new Set<string>();
  const duplicates = rows.flatMap(({ name, hash, duplicates: same }) => {
    const isNew = same.length > 0 && !seen.has(hash);
    for (const other of same) seen.add(other.hash);
    return isNew
      ? [
          `${name}@${shortHash(hash)} computes the same as ${same.map(named).join(", ")}: one of them is enough.`,
        ]
      : [];
  });
  return [table, ...duplicates, ...unreadable.map((what) => `cannot read ${what}`)].join("\n");
}

const modelNames = ({ models }: CatalogueRow): string =>
  models
    .map(({ model, version, isChampion }) => `${model} ${version}${isChampion ? " (champion)" : ""}`)
    .join(", ");

/** One view with its features, where they come from and who uses them. Pure. */
export function renderView(view: FeatureView, row: CatalogueRow, datasets: readonly string[]): string {
  const facts: readonly (readonly [string, string])[] = [
    ["view", view.name],
    ["hash", row.hash],
    ["owner", view.owner],
    ["description", view.description || "-"],
    ["of", `${view.entity}, device type ${view.match.deviceType}`],
    [
      "window",
      `${row.window}, lateness ${view.window.allowedLatenessMs} ms, corrections for ${view.window.correctionMs} ms`,
    ],
    ["time to live", `${view.ttlMs} ms`],
    ["vectors", `${number(row.vectors)}, of them back-filled ${number(row.backfilled)}`],
    ["newest window", row.newest ?? "-"],
    ["gateways", row.gateways.join(", ") || "-"],
    ["models", modelNames(row) || "-"],
    ["datasets", datasets.map(shortHash).join(", ") || "-"],
    ["same as", row.duplicates.map(named).join(", ") || "-"],
  ];
  const inputs = Object.entries(view.inputs).map(([name, { metric, unit }]) => [name, metric, unit ?? "-"]);
  const units = unitsOf(view);
  const features = view.features.map((feature, place) => [
    feature.name,
    describeFeature(feature),
    units[place] ?? "-",
    metricsOf(view, feature).join(", ") || "-",
    row.models
      .filter(({ inputs }) => inputs.includes(feature.name))
      .map(({ model, version }) => `${model} ${version}`)
      .join(", ") || "-",
    feature.description ?? "",
  ]);
  return [
    ...facts.map(([name, value]) => `${name.padEnd(14)}${value.replaceAll(/\p{Cc}/gu, " ")}`),
    "",
    renderTable(["input", "metric", "unit"], inputs),
    "",
    renderTable(["feature", "is", "unit", "from metrics", "used by", "description"], features),
  ].join("\n");
}

/** What lint found, a line each. Pure. */
export function renderLint(files: readonly LintedFile[]): string {
  return files
    .flatMap(({ file, views, issues, warnings }) => [
      ...issues.map(({ path, reason }) => `${file}: ${path}: ${reason}`),
      ...warnings.map((warning) => `${file}: warning: ${warning}`),
      ...(issues.length > 0
        ? []
        : [
            `${file}: in order: ${views.map(({ name, hash }) => `${name}@${shortHash(hash)}`).join(", ") || "no view"}`,
          ]),
    ])
    .join("\n");
}

/** What came of a join. Pure. */
export function renderJoin({ rows, out, columns, views }: JoinSummary): string {
  const names = ["PRESENT", "NULL", "NOT_FOUND", "OUTSIDE_MAX_AGE"];
  return [
    `${number(rows)} rows of ${columns.length} columns: ${out}`,
    renderTable(
      ["view", "hash", "vectors in the lake", ...names],
      views.map(({ view, hash, vectors, statuses }) => [
        view,
        shortHash(hash),
        vectors,
        ...names.map((name) => statuses[name] ?? 0),
      ]),
    ),
  ].join("\n");
}

/** What came of a back-fill. Pure. */
export function renderBackfill({ view }: PublishedView, results: readonly BackfillResult[]): string {
  if (results.length === 0)
    return `No readings of device type ${view.match.deviceType} in that time: nothing was computed for ${view.name}.`;
  return renderTable(
    ["gateway", "readings of", "stored as", "since message", "readings", "vectors", "added"],
    results.map((row) => [
      row.gateway,
      row.sourceEpoch.slice(0, 8),
      row.epoch.slice(0, 8),
      row.sinceOffset,
      row.readings,
      row.vectors,
      row.added,
    ]),
  );
}
