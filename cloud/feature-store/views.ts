import { viewHash } from "@sluice/shared/codec/hash.ts";
import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import { type FeatureView, featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { viewKey } from "@sluice/shared/contract/lake-key.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

/** A view as it is in the lake: immutable, its hash is its version. */
export interface PublishedView {
  readonly hash: string;
  readonly view: FeatureView;
}

const VIEW_PREFIX = "views/";

/** Digits of a hash that are shown, and the fewest that name a view. */
export const SHORT_HASH_DIGITS = 12;
const PREFIX_DIGITS_MIN = 6;

export const shortHash = (hash: string): string => hash.slice(0, SHORT_HASH_DIGITS);

/** All views of the lake, by name and hash; what is no view is left out and named in `damaged`. */
export async function listViews(
  store: Pick<ObjectStore, "list" | "get">,
): Promise<{ readonly views: readonly PublishedView[]; readonly damaged: readonly string[] }> {
  const views: PublishedView[] = [];
  const damaged: string[] = [];
  for await (const { key } of store.list(VIEW_PREFIX)) {
    const hash = /^views\/([0-9a-f]{64})\.json$/.exec(key)?.[1];
    if (hash === undefined) continue;
    const view = await readView(store, hash);
    if (view === undefined) damaged.push(key);
    else views.push({ hash, view });
  }
  return { views: views.sort(byName), damaged };
}

const byName = (a: PublishedView, b: PublishedView): number =>
  a.view.name === b.view.name ? (a.hash < b.hash ? -1 : 1) : a.view.name < b.view.name ? -1 : 1;

/** A view by its hash; undefined where it is not in the lake, or what lies there is not that view. */
export async function readView(
  store: Pick<ObjectStore, "get">,
  hash: string,
): Promise<FeatureView | undefined> {
  const result = await store.get(viewKey(hash));
  if (result.state !== "found") return undefined;
  const view = parseView(new TextDecoder().decode(result.object.body));
  return view !== undefined && viewHash(view) === hash ? view : undefined;
}

function parseView(text: string): FeatureView | undefined {
  try {
    return featureViewSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Puts a view where its hash says. Putting it again changes nothing. */
export async function publishView(store: Pick<ObjectStore, "put">, view: FeatureView): Promise<string> {
  const hash = viewHash(view);
  await store.put(viewKey(hash), new TextEncoder().encode(canonicalJson(view)), { ifAbsent: true });
  return hash;
}

/**
 * The view that somebody means: by its name, by the first digits of its hash, or by both as `name@hash`. Pure.
 *
 * Throws PipelineError "config.view" where there is none, or several of that name.
 */
export function findView(views: readonly PublishedView[], wanted: string): PublishedView {
  const [name = "", digits] = wanted.includes("@") ? wanted.split("@") : [wanted];
  const isHash = (text: string): boolean => new RegExp(`^[0-9a-f]{${PREFIX_DIGITS_MIN},64}$`).test(text);
  const found = views.filter(({ view, hash }) =>
    digits === undefined
      ? view.name === name || (isHash(name) && hash.startsWith(name))
      : view.name === name && hash.startsWith(digits),
  );
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  const list = (some: readonly PublishedView[]): string =>
    some.map(({ view, hash }) => `${view.name}@${shortHash(hash)}`).join(", ");
  if (first !== undefined)
    throw new PipelineError("config.view", `"${wanted}" can mean ${found.length} views`, {
      hint: `Say which: ${list(found)}.`,
    });
  throw new PipelineError("config.view", `no view "${wanted}" in the lake`, {
    hint: views.length === 0 ? "No gateway has published one yet." : `There are ${list(views)}.`,
  });
}
