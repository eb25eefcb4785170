import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import {
  formatTerm,
  parseTerm,
  parseTermKey,
  type Term,
  termKey,
  termPrefix,
  untilUs,
} from "./lease-term.ts";

/** A term's part of the fail-over time; the rest is for those who wait to notice and to ask. */
const TERM_SHARE = 0.75;

/** Terms are renewed when this part of them is over: two tries may fail before one runs out. */
const RENEW_SHARE = 1 / 3;

/** How often those who wait look, as a part of the fail-over time. */
const LOOK_SHARE = 1 / 8;

/**
 * How far the wall clocks of two machines may be apart before a term that ended long ago is mistaken for one.
 * S3 refuses requests from clocks 15 minutes off, so two that work are at most half an hour apart.
 */
const CLOCKS_APART_US_MAX = 3_600_000_000;

/** How often others may be faster at one look before giving up for this time: each of them has had the lease. */
const LOOKS_MAX = 16;

/** Old terms that are deleted at one renewal: more than come meanwhile. */
const DELETES_MAX = 8;

export interface LeaseOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  /** The lease's name: a level of the lake's keys. */
  readonly name: string;
  /** How long after the holder has died another has the lease, at most, in milliseconds. */
  readonly failOverMs: number;
  /** Who asks, for people: the machine and the process. */
  readonly owner: string;
}

/** Who has the lease. Times are the holder's own wall clock. */
export type LeaseState =
  | { readonly state: "held"; readonly term: number; readonly until: string }
  | {
      readonly state: "taken";
      readonly term: number;
      readonly by: string;
      readonly since: string;
      readonly until: string;
      /** When it is free for us unless it is renewed, in milliseconds from now, by our own monotonic clock. */
      readonly freeInMs: number;
    };

/**
 * A lease in the lake: of any number of processes one at a time works on its tables.
 *
 * It rests on "create only" puts and nothing else. A term is an object with the number after the newest, so exactly
 * one of those who ask gets it; who has it renews by creating the next one in time.
 *
 * **Clocks.** No two wall clocks are compared to decide who has it. The holder counts its term, by its own monotonic
 * clock, from before it asked. Others count the same length by theirs from when they first saw the term, which is
 * later: so when their count ends, the holder's has ended. Clocks 20 minutes apart change nothing, and a holder that
 * died blocks no longer than the fail-over time after others began to look. One shortcut reads wall clocks: a term
 * that ended more than an hour ago is free at once, so that a job that runs once need not wait for a service that
 * died yesterday. A holder that ends well gives the lease back, and the next one has it at once.
 *
 * **Old terms.** They are deleted an hour after they ended. A sleeper that looked before, and creates a number that
 * was deleted meanwhile, does not have the lease: it counts from before it looked, and what it got only counts while
 * that is less than the term's length ago, and no later number is there.
 *
 * **What it is not.** A holder that is stopped between looking at its clock and its next put can still be at work when
 * another has the lease. Commits are safe without it: each is put on top of the transactions that its plan began at,
 * so a stale committer is "overtaken". The lease saves the work of two doing the same, and keeps compaction and
 * clean-up to one.
 *
 * Errors: those of the store, and PipelineError "lake.lease_lost".
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #ownerId = newUuid();
  readonly #termMs: number;
  #held: { readonly term: Term; readonly fromUs: number } | undefined;
  /** The newest term of another that was seen, and since when, by our monotonic clock. */
  #seen: { readonly term: Term; readonly sinceUs: number } | undefined;
  #renewing: Promise<LeaseState> | undefined;
  /** The number that was asked for last, and since when: a lost answer does not make a term longer. */
  #asked = { number: 0, fromUs: 0 };

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#termMs = Math.max(1, Math.floor(options.failOverMs * TERM_SHARE));
  }

  /** How often one who waits should ask. */
  get lookEveryMs(): number {
    return Math.max(1, Math.floor(this.#options.failOverMs * LOOK_SHARE));
  }

  /** Whether it is ours at this moment. */
  get isHeld(): boolean {
    return this.#held !== undefined && this.#leftMs(this.#held) > 0;
  }

  /** Throws PipelineError "lake.lease_lost" where it is not ours (any more): what is under way must not go on. */
  requireHeld(): void {
    if (this.isHeld) return;
    throw new PipelineError(
      "lake.lease_lost",
      `the lease ${this.#options.name} is no longer ours: it ran out before it could be renewed`,
      {
        hint: "Another service goes on with the work; nothing was lost. Look at the link to the store if it happens again.",
      },
    );
  }

  /** Takes it where it is free, renews it where it is ours and due, and says who has it. */
  ask(): Promise<LeaseState> {
    // One at a time: two renewals at once would each take the other's term for a stranger's.
    this.#renewing ??= this.#ask().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  /** Runs `work` while the lease is renewed in time. Failures to renew do not end it: `requireHeld` tells in time. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const done = new AbortController();
    const renewing = this.#keep(done.signal);
    try {
      return await work();
    } finally {
      done.abort();
      await renewing;
    }
  }

  /** Gives it back, so that the next one need not wait. Where the store is away it runs out by itself. */
  async release(): Promise<void> {
    await this.#renewing?.catch(() => undefined);
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined || this.#leftMs(held) <= 0) return;
    await this.#create(held.term.number + 1, 0).catch(() => undefined);
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const everyMs = this.#termMs * RENEW_SHARE;
    for (;;) {
      await this.#options.clock.sleep(everyMs, signal);
      if (signal.aborted || !this.isHeld) return;
      // Tried again after the next sleep, twice before the term runs out.
      await this.ask().catch(() => undefined);
    }
  }

  async #ask(): Promise<LeaseState> {
    const held = this.#held;
    if (held !== undefined && this.#leftMs(held) > 0) {
      if (this.#leftMs(held) > this.#termMs * (1 - RENEW_SHARE)) return heldState(held.term);
      const renewed = await this.#take(held.term.number + 1);
      if (renewed === undefined) return this.#look();
      // The lease does not depend on it, and what cannot be deleted now can be at the next renewal.
      await this.#deleteOld(renewed.number).catch(() => undefined);
      return heldState(renewed);
    }
    this.#held = undefined;
    return this.#look();
  }

  /** Looks who has it, and takes it where it has run out. */
  async #look(): Promise<LeaseState> {
    const { clock } = this.#options;
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      const beganUs = clock.monotonicUs();
      const newest = await this.#newest();
      if (newest !== undefined) {
        const freeInMs = this.#freeInMs(newest);
        if (freeInMs > 0) return takenState(newest, freeInMs);
      }
      const taken = await this.#take((newest?.number ?? 0) + 1, beganUs);
      if (taken !== undefined) return heldState(taken);
      // Another one was faster: its term is seen in the next turn.
    }
    throw new PipelineError(
      "store.conflict",
      `${termPrefix(this.#options.name)}: others take the lease all the time`,
      {
        hint: "Let fewer programs commit into this lake.",
      },
    );
  }

  #freeInMs(term: Term): number {
    const { clock } = this.#options;
    if (term.lastsMs === 0 || untilUs(term) < clock.nowUs() - CLOCKS_APART_US_MAX) return 0;
    // A term of ours from which the process has come back too late is left to run out as any other.
    if (this.#seen?.term.number !== term.number || this.#seen.term.ownerId !== term.ownerId)
      this.#seen = { term, sinceUs: clock.monotonicUs() };
    return term.lastsMs - (clock.monotonicUs() - this.#seen.sinceUs) / 1_000;
  }

  /** Creates the term and makes it ours; undefined: another has it, or it came too late to count. */
  async #take(number: number, beganUs = this.#options.clock.monotonicUs()): Promise<Term | undefined> {
    if (this.#asked.number !== number) this.#asked = { number, fromUs: beganUs };
    const term = await this.#create(number, this.#termMs);
    if (term === undefined) {
      this.#held = undefined;
      return undefined;
    }
    const held = { term, fromUs: this.#asked.fromUs };
    // So long after the look, others may have had terms since, and deleted them: see "Old terms".
    if (this.#leftMs(held) <= 0 || (await this.#read(number + 1)) !== undefined) {
      this.#held = undefined;
      return undefined;
    }
    this.#held = held;
    return term;
  }

  async #create(number: number, lastsMs: number): Promise<Term | undefined> {
    const { store, clock, name, owner } = this.#options;
    const term = { number, ownerId: this.#ownerId, owner, sinceUs: clock.nowUs(), lastsMs };
    const result = await store.put(termKey(name, number), formatTerm(term), { ifAbsent: true });
    if (result === "created") return term;
    // An earlier try of ours may have got through although its answer was lost.
    const there = await this.#read(number);
    return there?.ownerId === this.#ownerId && there.lastsMs === lastsMs ? there : undefined;
  }

  /** The newest term. A list that lags hides the last ones, so they are asked for by name. */
  async #newest(): Promise<Term | undefined> {
    const { store, name } = this.#options;
    let number = 0;
    for await (const { key } of store.list(termPrefix(name)))
      number = Math.max(number, parseTermKey(name, key) ?? 0);
    const seen = this.#seen?.term.number ?? 0;
    if (seen > number && (await this.#read(seen)) !== undefined) number = seen;
    let newest = number === 0 ? undefined : await this.#read(number);
    for (let next = number + 1; ; next++) {
      const found = await this.#read(next);
      if (found === undefined) return newest;
      newest = found;
    }
  }

  /** A term; one whose object cannot be read counts as somebody's of our length. */
  async #read(number: number): Promise<Term | undefined> {
    const { store, clock, name } = this.#options;
    const result = await store.get(termKey(name, number));
    if (result.state !== "found") return undefined;
    const unknown = { number, ownerId: "", owner: "unknown", sinceUs: clock.nowUs(), lastsMs: this.#termMs };
    return parseTerm(number, result.object.body) ?? unknown;
  }

  /** Deletes terms that ended an hour ago, the oldest first. */
  async #deleteOld(newest: number): Promise<void> {
    const { store, clock, name } = this.#options;
    let deletes = 0;
    for await (const { key } of store.list(termPrefix(name))) {
      const number = parseTermKey(name, key);
      if (number === undefined) continue;
      if (number >= newest || deletes++ >= DELETES_MAX) return;
      const term = await this.#read(number);
      const isRecent = term !== undefined && untilUs(term) >= clock.nowUs() - CLOCKS_APART_US_MAX;
      if (isRecent && term.ownerId !== "") return;
      await store.delete(key);
    }
  }

  #leftMs({ term, fromUs }: { readonly term: Term; readonly fromUs: number }): number {
    return term.lastsMs - (this.#options.clock.monotonicUs() - fromUs) / 1_000;
  }
}

const heldState = (term: Term): LeaseState => ({
  state: "held",
  term: term.number,
  until: isoTime(untilUs(term)),
});

const takenState = (term: Term, freeInMs: number): LeaseState => ({
  state: "taken",
  term: term.number,
  by: term.owner,
  since: isoTime(term.sinceUs),
  until: isoTime(untilUs(term)),
  freeInMs,
});
