import { PipelineError } from "../runtime/errors.ts";
import { newUuid } from "../runtime/random.ts";
import type { ObjectStore } from "./object-store.ts";

/**
 * Proves that the store can be reached, written to, and creates an object only once: everything that Sluice promises
 * about the lake rests on that. Leaves nothing behind.
 *
 * Throws "store.no_conditional_put" where a second create-only put of the same key succeeds, and what the store
 * throws where it cannot be reached or written to.
 */
export async function probeStore(store: ObjectStore): Promise<void> {
  const key = `probe/${newUuid()}`;
  const body = new TextEncoder().encode("probe");
  const first = await store.put(key, body, { ifAbsent: true });
  try {
    const second = await store.put(key, body, { ifAbsent: true });
    if (first !== "created" || second !== "exists") throw withoutConditionalPut(`${first}, then ${second}`);
  } finally {
    await store.delete(key);
  }
}

function withoutConditionalPut(seen: string): PipelineError {
  return new PipelineError(
    "store.no_conditional_put",
    `the store does not honour create-only puts: the same new key twice gave ${seen}`,
    {
      hint: "Use a store that answers 412 to PutObject with If-None-Match: * (AWS S3, Cloudflare R2, Ceph and others do), or a folder.",
    },
  );
}
