import type { Action } from "./delta-action.ts";

/** What became of a landing object: its rows are in the table, or it could not be used. */
export type Fate =
  | { readonly state: "landed"; readonly atMs: number; readonly sha256: string }
  | { readonly state: "lost"; readonly atMs: number };

/**
 * What the table's log says of landing objects, so that they are deleted only when they are those committed.
 *
 * Bounded by time: what was committed longer than `rememberMs` before the newest commit is forgotten.
 */
export class LandedMemory {
  readonly #rememberMs: number;
  /** By key, oldest first. */
  readonly #fates = new Map<string, Fate>();
  #newestMs = 0;

  constructor(rememberMs: number) {
    this.#rememberMs = rememberMs;
  }

  /** Takes in one commit; twice is harmless. */
  note(actions: readonly Action[]): void {
    for (const action of actions) {
      if (!("commitInfo" in action)) continue;
      const { sluice, timestamp: atMs = this.#newestMs } = action.commitInfo;
      for (const { key, sha256 } of sluice?.landed ?? [])
        this.#fates.set(key, { state: "landed", atMs, sha256 });
      for (const { key } of sluice?.lost ?? []) this.#fates.set(key, { state: "lost", atMs });
      this.#newestMs = Math.max(this.#newestMs, atMs);
    }
    for (const [key, { atMs }] of this.#fates) {
      if (atMs >= this.#newestMs - this.#rememberMs) break;
      this.#fates.delete(key);
    }
  }

  fateOf(key: string): Fate | undefined {
    return this.#fates.get(key);
  }
}
