import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { concurrently } from "./concurrently.ts";
import { type Action, damaged, parseActions } from "./delta-action.ts";
import { contradictionOf, decodeCheckpoint, parseHint } from "./delta-checkpoint.ts";
import {
  type CheckpointKeys,
  commitKey,
  lastCheckpointKey,
  type Listing,
  listLog,
  logHole,
  planRead,
  type ReadPlan,
} from "./delta-listing.ts";
import { commitInfoOf, EMPTY_SNAPSHOT, type Snapshot, SnapshotBuilder } from "./delta-snapshot.ts";

/** Commits that are fetched at once. */
const FETCHES_MAX = 16;

/** A snapshot, and the commits that were read for it. */
export interface ReadLog {
  readonly snapshot: Snapshot;
  readonly checkpointVersion: number;
  /** The first version in `commits`. */
  readonly firstVersion: number;
  readonly commits: readonly (readonly Action[])[];
}

/**
 * Reads snapshots from a table's log: the newest checkpoint that is of use, then the commits behind it.
 *
 * `_last_checkpoint` only shortens the listing. A checkpoint that is damaged or contradicts its commit is told to
 * `onProblem`, and an older one or the log's beginning takes its place. Errors: PipelineError "lake.log_hole",
 * "lake.log_damaged", "lake.protocol_unsupported", "lake.version_gone".
 */
export class DeltaReader {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #onProblem: (error: PipelineError) => void;

  constructor(store: ObjectStore, prefix: string, onProblem: (error: PipelineError) => void) {
    this.#store = store;
    this.#prefix = prefix;
    this.#onProblem = onProblem;
  }

  /** The newest version. */
  async newest(): Promise<ReadLog> {
    const hint = await this.#hint();
    if (hint !== undefined) {
      const plan = planRead(await listLog(this.#store, this.#prefix, hint));
      // A hint that leads nowhere is passed over: the whole log is listed instead.
      if ("commits" in plan && plan.checkpoint !== undefined) {
        const read = await this.#tryPlan(plan);
        if (read !== undefined) return read;
      }
    }
    return this.#read(await this.list());
  }

  /** A version that was, with nothing that came later. */
  async at(version: number): Promise<Snapshot> {
    return (await this.#read(await this.list(), version)).snapshot;
  }

  list(): Promise<Listing> {
    return listLog(this.#store, this.#prefix);
  }

  async commit(version: number): Promise<readonly Action[] | undefined> {
    const key = commitKey(this.#prefix, version);
    const result = await this.#store.get(key);
    if (result.state !== "found") return undefined;
    return parseActions(key, new TextDecoder().decode(result.object.body));
  }

  async isThere(version: number): Promise<boolean> {
    return (await this.#store.head(commitKey(this.#prefix, version))) !== undefined;
  }

  /** When a commit says it was made, in milliseconds; undefined where it is gone or does not say. */
  async statedTime(version: number): Promise<number | undefined> {
    return commitInfoOf((await this.commit(version)) ?? [])?.timestamp;
  }

  /** Whether a checkpoint is whole and fits its commit. */
  async isUsable(checkpoint: CheckpointKeys): Promise<boolean> {
    try {
      await this.#checkpoint(checkpoint);
      return true;
    } catch (error) {
      if (!(error instanceof UnusableCheckpoint)) throw error;
      this.#onProblem(error.problem);
      return false;
    }
  }

  /** Commits in their order; each must be there. */
  async *commits(versions: readonly number[]): AsyncGenerator<readonly [number, readonly Action[]]> {
    for await (const [version, actions] of concurrently(versions, FETCHES_MAX, (v) => this.commit(v))) {
      if (actions === undefined)
        throw new PipelineError(
          "lake.log_damaged",
          `${commitKey(this.#prefix, version)} was listed and is gone`,
          {
            hint: "The log was cleaned up or changed meanwhile: try again; if it stays so, restore the object.",
          },
        );
      yield [version, actions];
    }
  }

  /** Commits from a version to before another, in their order; undefined: it was cleaned up. */
  commitsFrom(from: number, to: number): AsyncGenerator<readonly [number, readonly Action[] | undefined]> {
    const versions = Array.from({ length: to - from }, (_, i) => from + i);
    return concurrently(versions, FETCHES_MAX, (version) => this.commit(version));
  }

  async #hint(): Promise<number | undefined> {
    const result = await this.#store.get(lastCheckpointKey(this.#prefix));
    return result.state === "found" ? parseHint(result.object.body) : undefined;
  }

  async #read(found: Listing, through?: number): Promise<ReadLog> {
    let listing = found;
    const unusable = new Set<string>();
    let problem: PipelineError | undefined;
    for (;;) {
      const plan = planRead(listing, through, unusable);
      if (!("commits" in plan)) {
        // A folder that is listed while commits are made can show a newer one and not an older one.
        if (await this.isThere(plan.missing)) {
          listing = { ...listing, commits: [...listing.commits, plan.missing].toSorted((a, b) => a - b) };
          continue;
        }
        if (problem !== undefined) throw problem;
        throw plan.atStart && (through !== undefined || listing.checkpoints.length > 0)
          ? this.#versionGone(listing, through ?? plan.missing)
          : logHole(this.#prefix, plan.missing);
      }
      const read = await this.#tryPlan(plan, (error) => (problem ??= error));
      if (read !== undefined) return read;
      for (const key of plan.checkpoint?.keys ?? []) unusable.add(key);
    }
  }

  #versionGone(listing: Listing, version: number): PipelineError {
    const earliest = Math.min(...listing.checkpoints.map((checkpoint) => checkpoint.version), Infinity);
    return new PipelineError(
      "lake.version_gone",
      `${this.#prefix}: version ${version} cannot be read any more`,
      {
        hint: Number.isFinite(earliest)
          ? `The log was cleaned up; the oldest version that is left is ${earliest}.`
          : "The log was cleaned up.",
      },
    );
  }

  /** Undefined: the plan's checkpoint is of no use, and somebody was told. */
  async #tryPlan(
    plan: ReadPlan,
    tell: (error: PipelineError) => void = () => undefined,
  ): Promise<ReadLog | undefined> {
    try {
      return await this.#follow(plan);
    } catch (error) {
      if (!(error instanceof UnusableCheckpoint)) throw error;
      tell(error.problem);
      this.#onProblem(error.problem);
      return undefined;
    }
  }

  async #follow({ checkpoint, commits: versions }: ReadPlan): Promise<ReadLog> {
    const commits: (readonly Action[])[] = [];
    let from = EMPTY_SNAPSHOT;
    let firstVersion = 0;
    if (checkpoint !== undefined) {
      const start = await this.#checkpoint(checkpoint);
      from = start.snapshot;
      firstVersion = checkpoint.version + (start.commit === undefined ? 1 : 0);
      if (start.commit !== undefined) commits.push(start.commit);
    }
    const builder = new SnapshotBuilder(from);
    for await (const [version, actions] of this.commits(versions)) {
      builder.apply(version, actions, commitKey(this.#prefix, version));
      commits.push(actions);
    }
    return { snapshot: builder.build(), checkpointVersion: checkpoint?.version ?? -1, firstVersion, commits };
  }

  /** A checkpoint's snapshot, and the commit of its version where that is still there: it says when it was. */
  async #checkpoint({ version, keys }: CheckpointKeys): Promise<{
    readonly snapshot: Snapshot;
    readonly commit: readonly Action[] | undefined;
  }> {
    const commit = await this.commit(version);
    try {
      const parts = await Promise.all(
        keys.map(async (key) => {
          const result = await this.#store.get(key);
          if (result.state !== "found") throw damaged(key, "the checkpoint was listed and is gone");
          return { key, body: result.object.body };
        }),
      );
      const snapshot = decodeCheckpoint(version, parts);
      const contradiction = commit === undefined ? undefined : contradictionOf(snapshot, commit);
      if (contradiction !== undefined)
        throw damaged(
          keys[0] ?? "the checkpoint",
          `the checkpoint contradicts ${commitKey(this.#prefix, version)}: ${contradiction}`,
        );
      return { snapshot: commit === undefined ? snapshot : timed(snapshot, commit), commit };
    } catch (error) {
      if (error instanceof PipelineError && error.code === "lake.log_damaged")
        throw new UnusableCheckpoint(error);
      throw error;
    }
  }
}

/** A checkpoint that another way of reading must do without. */
class UnusableCheckpoint extends Error {
  readonly problem: PipelineError;
  constructor(problem: PipelineError) {
    super(problem.message);
    this.problem = problem;
  }
}

/** A checkpoint's snapshot with the time of its commit. */
const timed = (snapshot: Snapshot, commit: readonly Action[]): Snapshot => ({
  ...snapshot,
  committedAtMs: commitInfoOf(commit)?.timestamp ?? snapshot.committedAtMs,
});
