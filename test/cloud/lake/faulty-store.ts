import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type {
  GetOptions,
  GetResult,
  ObjectInfo,
  ObjectStore,
  PutOptions,
} from "@sluice/shared/store/object-store.ts";

/** How the operation at which the process dies ends: not done at all, or done with its answer lost. */
export type Death = "before" | "after";

/** A store whose user dies at its k-th operation, counted from 0: from there on everything throws. */
export class DyingStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #diesAt: number;
  readonly #death: Death;
  operations = 0;

  constructor(store: ObjectStore, diesAt: number, death: Death) {
    this.#store = store;
    this.#diesAt = diesAt;
    this.#death = death;
  }

  put(key: string, body: Uint8Array, options?: PutOptions): Promise<"created" | "exists"> {
    return this.#operation(() => this.#store.put(key, body, options));
  }

  get(key: string, options?: GetOptions): Promise<GetResult> {
    return this.#operation(() => this.#store.get(key, options));
  }

  head(key: string): ReturnType<ObjectStore["head"]> {
    return this.#operation(() => this.#store.head(key));
  }

  async *list(prefix: string, options?: { readonly startAfter?: string }): AsyncIterable<ObjectInfo> {
    const listed = await this.#operation(() => Array.fromAsync(this.#store.list(prefix, options)));
    yield* listed;
  }

  delete(key: string): Promise<void> {
    return this.#operation(() => this.#store.delete(key));
  }

  async #operation<T>(work: () => Promise<T>): Promise<T> {
    const operation = this.operations++;
    if (operation < this.#diesAt) return work();
    if (operation === this.#diesAt && this.#death === "after") await work();
    throw new PipelineError("store.unavailable", "the process is dead");
  }
}

/** Lets other work in before every operation, in an order that follows from the seed. */
export class YieldingStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #turns: () => number;

  constructor(store: ObjectStore, turns: () => number) {
    this.#store = store;
    this.#turns = turns;
  }

  async put(key: string, body: Uint8Array, options?: PutOptions): Promise<"created" | "exists"> {
    await this.#wait();
    return this.#store.put(key, body, options);
  }

  async get(key: string, options?: GetOptions): Promise<GetResult> {
    await this.#wait();
    return this.#store.get(key, options);
  }

  async head(key: string): ReturnType<ObjectStore["head"]> {
    await this.#wait();
    return this.#store.head(key);
  }

  async *list(prefix: string, options?: { readonly startAfter?: string }): AsyncIterable<ObjectInfo> {
    await this.#wait();
    yield* await Array.fromAsync(this.#store.list(prefix, options));
  }

  async delete(key: string): Promise<void> {
    await this.#wait();
    await this.#store.delete(key);
  }

  async #wait(): Promise<void> {
    for (let turn = this.#turns(); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
  }
}
