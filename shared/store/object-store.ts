/** What listing says of an object. */
export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
}

export interface StoredObject {
  readonly body: Uint8Array;
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export type GetResult =
  | { readonly state: "found"; readonly object: StoredObject }
  | { readonly state: "missing" }
  /** The object still has the ETag that was given. */
  | { readonly state: "unchanged" };

export interface PutOptions {
  /** Create only: an object that is already there is left as it is. */
  readonly ifAbsent?: boolean;
  /** Lower-case ASCII keys and values. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface GetOptions {
  /** Do not send the object again while it still has this ETag. */
  readonly unlessEtag?: string;
  /** Bytes [start, end) only. */
  readonly range?: { readonly start: number; readonly end: number };
}

/**
 * The lake's storage: whole objects by key, keys ordered by their UTF-8 bytes.
 *
 * A put is atomic and durable when it resolves: readers see the old object or the whole new one. With `ifAbsent`
 * exactly one of any number of writers gets "created", the others "exists". After a put resolves, get and list see it.
 *
 * Errors are PipelineErrors: "store.unavailable" and "store.timeout" (retry), "store.denied" and "store.missing"
 * (no bucket or folder: a person must act), "store.invalid_key".
 */
export interface ObjectStore {
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<"created" | "exists">;
  get(key: string, options?: GetOptions): Promise<GetResult>;
  /** The object's size and metadata without its body; undefined where there is none. */
  head(
    key: string,
  ): Promise<{ bytes: number; etag: string; metadata: Readonly<Record<string, string>> } | undefined>;
  /** Objects whose key begins with `prefix` and is after `startAfter`, in key order. */
  list(prefix: string, options?: { readonly startAfter?: string }): AsyncIterable<ObjectInfo>;
  /** Removing what is not there is no error. */
  delete(key: string): Promise<void>;
}
