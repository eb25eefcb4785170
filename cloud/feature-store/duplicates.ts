import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { PublishedView } from "./views.ts";

/**
 * A hash over what a view computes, without what it is called: name, owner and descriptions. Two views with the same
 * core hash make the same vectors. Pure.
 */
export function coreHash(view: FeatureView): string {
  const features = view.features.map((feature) => ({ ...feature, description: "" }));
  return sha256Hex(canonicalJson({ ...view, name: "", owner: "", description: "", features }));
}

/** For each view that there is under another hash too, those others. By hash. Pure. */
export function findDuplicates(
  views: readonly PublishedView[],
): ReadonlyMap<string, readonly PublishedView[]> {
  const byCore = Map.groupBy(views, ({ view }) => coreHash(view));
  return new Map(
    [...byCore.values()]
      .filter((same) => same.length > 1)
      .flatMap((same) =>
        same.map(({ hash }) => [hash, same.filter((other) => other.hash !== hash)] as const),
      ),
  );
}
