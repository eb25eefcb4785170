import type { Action, CommitInfo } from "./delta-action.ts";
import { commitInfoOf } from "./delta-snapshot.ts";

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
  #fates = new Map<string, Fate>();
  #newestMs = 0;

  constructor(rememberMs: number) {
    this.#rememberMs = rememberMs;
  }

  /** Takes in one commit; twice is harmless. */
  note(actions: readonly Action[]): void {
    const commitInfo = commitInfoOf(actions);
    if (commitInfo !== undefined) this.#take(commitInfo, this.#fates);
    for (const [key, { atMs }] of this.#fates) {
      if (!this.isForgotten(atMs)) break;
      this.#fates.delete(key);
    }
  }

  /** Takes in what came before everything that was noted, in the order of the commits. */
  noteEarlier(commits: readonly (readonly Action[])[]): void {
    const fates = new Map<string, Fate>();
    for (const actions of commits) {
      const commitInfo = commitInfoOf(actions);
      if (commitInfo !== undefined && !this.isForgotten(commitInfo.timestamp ?? this.#newestMs))
        this.#take(commitInfo, fates);
    }
    for (const [key, fate] of this.#fates) fates.set(key, fate);
    this.#fates = fates;
  }

  /** Whether a commit of that time is too old to be remembered. */
  isForgotten(atMs: number): boolean {
    return atMs < this.#newestMs - this.#rememberMs;
  }

  #take({ sluice, timestamp: atMs = this.#newestMs }: CommitInfo, fates: Map<string, Fate>): void {
    for (const { key, sha256 } of sluice?.landed ?? []) fates.set(key, { state: "landed", atMs, sha256 });
    for (const { key } of sluice?.lost ?? []) fates.set(key, { state: "lost", atMs });
    this.#newestMs = Math.max(this.#newestMs, atMs);
  }

  fateOf(key: string): Fate | undefined {
    return this.#fates.get(key);
  }
}
