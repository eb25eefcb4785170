import { epochPrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { Fate } from "./landed-memory.ts";
import type { LandingObject } from "./plan-landing.ts";

/** Objects that are remembered; the others are found again by listing. */
const KEPT_MAX = 500_000;

/** An object whose range is committed, and what the table's log says of it; undefined: nothing. */
export interface Kept {
  readonly object: LandingObject;
  readonly fate: Fate | undefined;
}

/** Landing objects of committed ranges that still lie there, until their grace is over. */
export class KeptLanding {
  readonly #kept = new Map<string, Kept>();
  readonly #countByEpoch = new Map<string, number>();

  has(key: string): boolean {
    return this.#kept.has(key);
  }

  countOf(stream: Stream, gateway: string, epoch: string): number {
    return this.#countByEpoch.get(epochPrefix({ stream, gateway, epoch })) ?? 0;
  }

  get size(): number {
    return this.#kept.size;
  }

  add(kept: Kept): void {
    if (this.#kept.has(kept.object.key) || this.#kept.size >= KEPT_MAX) return;
    this.#kept.set(kept.object.key, kept);
    this.#count(kept, 1);
  }

  forget(kept: Kept): void {
    if (this.#kept.delete(kept.object.key)) this.#count(kept, -1);
  }

  /** Those of a table that are due, at most `limit`. */
  due(stream: Stream, isDue: (fate: Fate | undefined) => boolean, limit: number): readonly Kept[] {
    const due: Kept[] = [];
    for (const kept of this.#kept.values()) {
      if (due.length >= limit) break;
      if (kept.object.range.stream === stream && isDue(kept.fate)) due.push(kept);
    }
    return due;
  }

  #count({ object }: Kept, change: number): void {
    const prefix = epochPrefix(object.range);
    const count = (this.#countByEpoch.get(prefix) ?? 0) + change;
    if (count > 0) this.#countByEpoch.set(prefix, count);
    else this.#countByEpoch.delete(prefix);
  }
}
