import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

/** The ids of the training sets that were made of a view. */
export async function datasetsOf(
  store: Pick<ObjectStore, "list" | "get">,
  viewHash: string,
): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { key } of store.list("datasets/")) {
    const id = /^datasets\/([0-9a-f]{64})\.json$/.exec(key)?.[1];
    const found = id === undefined ? undefined : await store.get(key);
    if (id !== undefined && found?.state === "found" && viewHashIn(found.object.body) === viewHash)
      ids.push(id);
  }
  return ids;
}

function viewHashIn(body: Uint8Array): unknown {
  try {
    const manifest: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof manifest === "object" && manifest !== null && "viewHash" in manifest
      ? manifest.viewHash
      : undefined;
  } catch {
    return undefined;
  }
}
