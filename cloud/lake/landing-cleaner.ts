import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { SHA256_METADATA } from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { ObjectInfo, ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { CommitTally } from "./commit-report.ts";
import { concurrently } from "./concurrently.ts";
import type { Kept, KeptLanding } from "./kept-landing.ts";
import { LANDING_BYTES_MAX } from "./read-landing.ts";
import { setAside } from "./set-aside.ts";

/** Objects that are looked at and deleted at once. */
const DELETES_MAX = 16;

/** Objects of one table that are deleted in one round, after which the lease is looked at again. */
const ROUND = 1_000;

/** Rounds for one table in one pass: deleting must not hold up the next commits. */
const ROUNDS_MAX = 20;

export interface CleanerOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly landingGraceMs: number;
  readonly kept: KeptLanding;
}

/**
 * Removes landing objects that nothing needs any more.
 *
 * Deleted is only what the table's log names with the very checksum that the object has, longer ago than the grace.
 * Everything else is copied below `quarantine/landing/` with its reason first.
 */
export class LandingCleaner {
  readonly #options: CleanerOptions;
  /** Too large to copy: it stays where it is, and is told of once. */
  readonly #leftLying = new Set<string>();

  constructor(options: CleanerOptions) {
    this.#options = options;
  }

  /** Removes what of a table is due. `requireHeld` throws where the work is no longer ours. */
  async clean(stream: Stream, requireHeld: () => void, tally: CommitTally): Promise<void> {
    const { clock, landingGraceMs, kept } = this.#options;
    const nowMs = clock.nowUs() / 1_000;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const due = kept.due(stream, (fate) => fate === undefined || nowMs - fate.atMs > landingGraceMs, ROUND);
      if (due.length === 0) return;
      requireHeld();
      for await (const [one] of concurrently(due, DELETES_MAX, (object) => this.#remove(object, tally)))
        kept.forget(one);
    }
  }

  async #remove({ object, fate }: Kept, tally: CommitTally): Promise<void> {
    const { store } = this.#options;
    if (fate === undefined)
      return this.moveAway(object, "its range was committed from other objects, or given up", tally);
    if (fate.state === "lost") return this.moveAway(object, "its range was given up", tally);
    const sha256 = await checksumOf(store, object.key);
    if (sha256 === undefined) return; // Another committer did it.
    if (sha256 !== fate.sha256)
      return this.moveAway(object, `its bytes are not those that were committed (${fate.sha256})`, tally);
    await store.delete(object.key);
    tally.deleted++;
  }

  /** Copies an object that no table needs to quarantine, then deletes it. One that is too large to copy stays. */
  async moveAway(info: ObjectInfo, reason: string, tally: CommitTally): Promise<void> {
    const { store, clock, log } = this.#options;
    const { key } = info;
    if (this.#leftLying.has(key)) return;
    const isLarge = info.bytes > LANDING_BYTES_MAX;
    const body = isLarge ? undefined : await bodyOf(store, key);
    if (body === undefined && !isLarge) return; // Another committer did it.
    const aside = await setAside(store, clock, { key, body, reason });
    if (body === undefined) this.#leftLying.add(key);
    else await store.delete(key);
    tally.setAside.push({ key, reason, setAside: aside });
    log.warn({ key, setAside: aside }, `a landing object was set aside: ${reason}`);
  }

  /** The same for many. */
  async moveAllAway(infos: readonly ObjectInfo[], reason: string, tally: CommitTally): Promise<void> {
    const moves = concurrently(infos, DELETES_MAX, (info) => this.moveAway(info, reason, tally));
    for await (const _ of moves);
  }
}

export async function bodyOf(store: ObjectStore, key: string): Promise<Uint8Array | undefined> {
  const result = await store.get(key);
  return result.state === "found" ? result.object.body : undefined;
}

async function checksumOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const found = await store.head(key);
  if (found === undefined) return undefined;
  const stated = found.metadata[SHA256_METADATA];
  if (stated !== undefined) return stated;
  const body = await bodyOf(store, key);
  return body === undefined ? undefined : sha256Hex(body);
}
