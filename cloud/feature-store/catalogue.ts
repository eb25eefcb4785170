import { isoTime } from "@sluice/shared/runtime/clock.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { Lake } from "../lake/lake.ts";
import { findDuplicates } from "./duplicates.ts";
import { findUses, type ModelUse, type Uses } from "./uses.ts";
import { listViews, type PublishedView } from "./views.ts";

/** A view with what there is of it. */
export interface CatalogueRow {
  readonly name: string;
  readonly hash: string;
  readonly owner: string;
  readonly entity: string;
  readonly deviceType: string;
  readonly window: string;
  readonly features: number;
  /** Vectors in the lake, every revision counted, and how many of them were back-filled. */
  readonly vectors: number;
  readonly backfilled: number;
  /** End of the newest window; undefined without a vector. */
  readonly newest: string | undefined;
  readonly models: readonly ModelUse[];
  readonly gateways: readonly string[];
  /** Other views that compute the same, as `name@hash`. */
  readonly duplicates: readonly PublishedView[];
}

export interface Catalogue {
  readonly rows: readonly CatalogueRow[];
  readonly views: readonly PublishedView[];
  /** Views and versions that could not be read, with the reason. */
  readonly unreadable: readonly string[];
}

/** Every view of the lake, by name. */
export async function readCatalogue({
  store,
  lake,
  clock,
}: {
  readonly store: ObjectStore;
  readonly lake: Pick<Lake, "sql">;
  readonly clock: Clock;
}): Promise<Catalogue> {
  const { views, damaged } = await listViews(store);
  const uses = await findUses(store, clock);
  const counts = await countVectors(lake);
  const duplicates = findDuplicates(views);
  const rows = views.map(({ view, hash }) => ({
    name: view.name,
    hash,
    owner: view.owner,
    entity: view.entity,
    deviceType: view.match.deviceType,
    window: describeWindow(view.window),
    features: view.features.length,
    ...(counts.get(hash) ?? { vectors: 0, backfilled: 0, newest: undefined }),
    ...usesOf(uses, hash),
    duplicates: duplicates.get(hash) ?? [],
  }));
  const unreadable = [
    ...damaged.map((key) => `${key}: is not the view that its name says`),
    ...uses.unreadable,
  ];
  return { rows, views, unreadable };
}

const usesOf = (uses: Uses, hash: string): Pick<CatalogueRow, "models" | "gateways"> => ({
  models: uses.models.get(hash) ?? [],
  gateways: uses.gateways.get(hash) ?? [],
});

async function countVectors(
  lake: Pick<Lake, "sql">,
): Promise<ReadonlyMap<string, Pick<CatalogueRow, "vectors" | "backfilled" | "newest">>> {
  // A back-fill's epoch is a UUID of version 8.
  const { rows } = await lake.sql(
    `SELECT view_hash, count(*), count(*) FILTER (epoch[15] = '8'), epoch_us(max(window_end)) FROM features GROUP BY view_hash`,
  );
  return new Map(
    rows.map(([hash, vectors, backfilled, newestUs]) => [
      String(hash),
      { vectors: Number(vectors), backfilled: Number(backfilled), newest: isoTime(Number(newestUs)) },
    ]),
  );
}

const seconds = (ms: number): string => {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1_000} s`;
};

/** A view's windows in few words. Pure. */
export function describeWindow(window: PublishedView["view"]["window"]): string {
  switch (window.kind) {
    case "tumbling":
      return `${seconds(window.sizeMs)} tumbling`;
    case "hopping":
      return `${seconds(window.sizeMs)} every ${seconds(window.hopMs)}`;
    case "sliding":
      return `${seconds(window.sizeMs)} sliding`;
    case "session":
      return `sessions, gap ${seconds(window.gapMs)}`;
    case "count":
      return `${window.readings} readings of ${window.of}`;
  }
}
