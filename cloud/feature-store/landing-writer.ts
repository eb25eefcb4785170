import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import { BACKFILL_PREFIX } from "@sluice/shared/contract/backfill.ts";
import { landingKey, SHA256_METADATA } from "@sluice/shared/contract/lake-key.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

/** Vectors of a landing object: of 10 features each they are about 2 MB. */
const BATCH_VECTORS = 20_000;

type Store = Pick<ObjectStore, "get" | "put">;

/**
 * Lands vectors as a gateway does, in ranges of their numbers that never overlap, whoever writes them and how often.
 *
 * Where a range ends is claimed before its object is put (`backfills/<epoch>/<from>.json`, created only once), so a
 * run that was cut off, or another one at the same time, makes the same objects. The vectors must be the same too.
 */
export class LandingWriter {
  readonly #store: Store;
  readonly #place: { readonly gateway: string; readonly epoch: string };
  #waiting: StoredVector[] = [];
  #next: number;
  #landed = 0;

  /** `next` is the first number that is not committed yet. */
  constructor(store: Store, place: { readonly gateway: string; readonly epoch: string }, next: number) {
    this.#store = store;
    this.#place = place;
    this.#next = next;
  }

  /** Vectors whose objects have been put. */
  get landed(): number {
    return this.#landed;
  }

  /** Takes the vector with the next number; those that are committed already are passed over. */
  async add(vector: StoredVector): Promise<void> {
    if (vector.seq < this.#next) return;
    this.#waiting.push(vector);
    if (this.#waiting.length >= BATCH_VECTORS) await this.#land();
  }

  /** Lands what is left. */
  async finish(): Promise<void> {
    while (this.#waiting.length > 0 && (await this.#land()));
  }

  /** False where another run has claimed more than we have: the readings behind it are not in the lake for us yet. */
  async #land(): Promise<boolean> {
    const from = this.#next;
    const to = await this.#claim(from, from + this.#waiting.length - 1);
    const count = to - from + 1;
    if (count > this.#waiting.length) return false;
    const body = encodeLanding("features", [this.#waiting.slice(0, count)]);
    const key = landingKey({ stream: "features", ...this.#place, from, to });
    await this.#store.put(key, body, { ifAbsent: true, metadata: { [SHA256_METADATA]: sha256Hex(body) } });
    this.#waiting = this.#waiting.slice(count);
    this.#next = to + 1;
    this.#landed += count;
    return true;
  }

  /** The last number of the range that begins at `from`: ours, or what somebody has claimed before. */
  async #claim(from: number, to: number): Promise<number> {
    const key = `${BACKFILL_PREFIX}${this.#place.epoch}/${String(from).padStart(16, "0")}.json`;
    const body = new TextEncoder().encode(JSON.stringify({ to }));
    if ((await this.#store.put(key, body, { ifAbsent: true })) === "created") return to;
    const found = await this.#store.get(key);
    const claimed: unknown =
      found.state === "found" ? JSON.parse(new TextDecoder().decode(found.object.body)) : undefined;
    if (
      typeof claimed === "object" &&
      claimed !== null &&
      "to" in claimed &&
      Number.isSafeInteger(claimed.to)
    )
      return Number(claimed.to);
    throw new PipelineError("lake.backfill_damaged", `${key} is no claim of a range`, {
      hint: "Delete the object and run the back-fill again.",
    });
  }
}
