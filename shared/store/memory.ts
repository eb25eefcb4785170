import { createHash } from "node:crypto";
import { checkKey, checkMetadata, checkPrefix, compareKeys } from "./key.ts";
import type {
  GetOptions,
  GetResult,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoredObject,
} from "./object-store.ts";

/** A store that forgets: the semantics of the others, for tests and simulation. Bodies are copied in and out. */
export class MemoryStore implements ObjectStore {
  readonly #objects = new Map<string, StoredObject>();

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<"created" | "exists"> {
    checkKey(key);
    const metadata = { ...options.metadata };
    checkMetadata(metadata);
    if (options.ifAbsent === true && this.#objects.has(key)) return "exists";
    const etag = createHash("sha256").update(body).digest("hex").slice(0, 32);
    this.#objects.set(key, { body: new Uint8Array(body), etag, metadata });
    return "created";
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    checkKey(key);
    const object = this.#objects.get(key);
    if (object === undefined) return { state: "missing" };
    if (object.etag === options.unlessEtag) return { state: "unchanged" };
    const { start, end } = options.range ?? { start: 0, end: object.body.byteLength };
    return {
      state: "found",
      object: { ...object, metadata: { ...object.metadata }, body: object.body.slice(start, end) },
    };
  }

  async head(key: string): ReturnType<ObjectStore["head"]> {
    checkKey(key);
    const object = this.#objects.get(key);
    if (object === undefined) return undefined;
    return { bytes: object.body.byteLength, etag: object.etag, metadata: { ...object.metadata } };
  }

  async *list(prefix: string, options: { readonly startAfter?: string } = {}): AsyncIterable<ObjectInfo> {
    checkPrefix(prefix);
    const after = options.startAfter ?? "";
    const keys = [...this.#objects.keys()]
      .filter((key) => key.startsWith(prefix) && compareKeys(key, after) > 0)
      .sort(compareKeys);
    for (const key of keys) {
      const object = this.#objects.get(key);
      if (object !== undefined) yield { key, bytes: object.body.byteLength };
    }
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    this.#objects.delete(key);
  }
}
