import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { OnlineAnswer, OnlineQuery, OnlineValue, OnlineVector } from "@sluice/shared/contract/online.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { NewestVector, NewestVectors } from "./newest-vectors.ts";

/** A view that is computed now. */
export interface ServedView {
  readonly view: FeatureView;
  readonly hash: string;
}

/**
 * The newest vectors of a view, each with its status and age; what is older than the view's `ttlMs` is not given.
 *
 * Throws PipelineError "features.no_such_view" or "features.no_such_feature".
 */
export function onlineValues(
  query: OnlineQuery,
  views: readonly ServedView[],
  { newest, nowUs }: { readonly newest: NewestVectors; readonly nowUs: number },
): OnlineAnswer {
  const { view, hash } = viewOf(query.view, views);
  const places = placesOf(view, query.features);
  const maxAgeMs = view.ttlMs;
  return {
    view: view.name,
    viewHash: hash,
    maxAgeMs,
    vectors: query.devices.map((device) =>
      describe(device, newest.get(hash, device), { places, maxAgeMs, nowUs }),
    ),
  };
}

/** Of several views of one name the one that was set last. */
function viewOf(wanted: string, views: readonly ServedView[]): ServedView {
  const found =
    views.find(({ hash }) => hash === wanted) ?? views.findLast(({ view }) => view.name === wanted);
  if (found !== undefined) return found;
  throw new PipelineError("features.no_such_view", `this gateway computes no view "${wanted}"`, {
    hint: `It computes ${views.map(({ view }) => view.name).join(", ") || "none"}: see features.views in its settings, and its model.`,
  });
}

/** The names that are wanted, with their places in a vector. */
function placesOf(view: FeatureView, wanted: readonly string[] | undefined): ReadonlyMap<string, number> {
  const places = new Map(view.features.map(({ name }, place) => [name, place]));
  if (wanted === undefined) return places;
  return new Map(
    wanted.map((name) => {
      const place = places.get(name);
      if (place !== undefined) return [name, place];
      throw new PipelineError("features.no_such_feature", `the view ${view.name} has no feature "${name}"`, {
        hint: `It has ${[...places.keys()].join(", ")}.`,
      });
    }),
  );
}

function describe(
  device: string,
  vector: NewestVector | undefined,
  {
    places,
    maxAgeMs,
    nowUs,
  }: { readonly places: ReadonlyMap<string, number>; readonly maxAgeMs: number; readonly nowUs: number },
): OnlineVector {
  const all = (status: OnlineValue["status"]): OnlineVector["values"] =>
    Object.fromEntries([...places.keys()].map((name) => [name, { status }]));
  if (vector === undefined) return { device, status: "NOT_FOUND", values: all("NOT_FOUND") };
  // A device's clock that is ahead of ours makes nothing younger than now.
  const ageMs = Math.max(0, Math.round((nowUs - vector.windowEndUs) / 1_000));
  const facts = {
    ageMs,
    windowStart: isoTime(vector.windowStartUs),
    windowEnd: isoTime(vector.windowEndUs),
    revision: vector.revision,
    knownAt: isoTime(vector.closedAtUs),
    closedBy: vector.closedBy,
    readingCount: vector.readingCount,
    violations: vector.violations,
    withheld: vector.withheld,
  };
  if (ageMs > maxAgeMs)
    return { device, status: "OUTSIDE_MAX_AGE", ...facts, values: all("OUTSIDE_MAX_AGE") };
  const values = [...places].map(([name, place]) => [name, valueAt(vector, place)] as const);
  const isEmpty = values.every(([, { status }]) => status === "NULL");
  return { device, status: isEmpty ? "NULL" : "PRESENT", ...facts, values: Object.fromEntries(values) };
}

function valueAt({ values }: NewestVector, place: number): OnlineValue {
  const value = values[place] ?? Number.NaN;
  return Number.isNaN(value) ? { status: "NULL" } : { status: "PRESENT", value };
}
