import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { type Action, formatActions, type MetaData, type RemoveFile } from "./delta-action.ts";
import { encodeCheckpoint, formatHint } from "./delta-checkpoint.ts";
import { cleanUpLog } from "./delta-cleanup.ts";
import {
  type Append,
  isOvertaken,
  type OwnCommitInfo,
  type Rewrite,
  rewriteActions,
  rewriteConflict,
} from "./delta-conflict.ts";
import { type AsOf, DeltaHistory, type HistoryEntry } from "./delta-history.ts";
import { checkpointKey, commitKey, lastCheckpointKey, logHole } from "./delta-listing.ts";
import { DeltaReader } from "./delta-reader.ts";
import { checkAllKnown } from "./delta-schema.ts";
import {
  checkChangeable,
  checkWritable,
  commitInfoOf,
  EMPTY_SNAPSHOT,
  nextCommittedAtMs,
  PROTOCOL,
  type Snapshot,
  SnapshotBuilder,
} from "./delta-snapshot.ts";
import { type Fate, LandedMemory } from "./landed-memory.ts";

/** A day in milliseconds: how long the fate of landing objects is remembered, unless it is said. */
const DAY_MS = 86_400_000;

/** How long every version can be read, and tombstones are kept, unless it is said: what other engines take, too. */
const RETENTION_MS = 30 * DAY_MS;

/** How often a commit is tried on top of others' commits: each failure means that another one got through. */
const REBASES_MAX = 1_000;

/** Commits between two checkpoints, at least: so many small objects are read in about a second. */
const CHECKPOINT_COMMITS_MIN = 100;

/** And at most: beyond it, reading a log would take longer the larger its table is. */
const CHECKPOINT_COMMITS_MAX = 1_000;

/** Entries of a table for each commit that a checkpoint waits: so writing it costs each commit the same. */
const CHECKPOINT_ENTRIES_PER_COMMIT = 10;

/** Commits that are read at once when the fate of landing objects is looked for further back. */
const LOOK_BACK_COMMITS = 256;

export interface DeltaLogOptions {
  /** How long the fate of landing objects matters. */
  readonly rememberMs?: number;
  /** How long a version can be read after a newer one was committed. */
  readonly retentionMs?: number;
  /** The columns that a rewrite's files have; by default, those of the table. */
  readonly columns?: readonly string[];
  /** Hears of what is wrong and holds nothing up: a checkpoint that cannot be used or written, a clean-up that failed. */
  readonly onProblem?: (error: PipelineError) => void;
}

/**
 * The log of one Delta table: JSON commits, each put with "create only", so that of any number of writers exactly
 * one makes a version; and checkpoints, so that reading it takes as long after ten thousand versions as after ten.
 *
 * Errors: PipelineError "lake.log_damaged", "lake.log_hole", "lake.protocol_unsupported", "lake.schema_mismatch".
 */
export class DeltaLog {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #options: DeltaLogOptions;
  readonly #reader: DeltaReader;
  readonly #history: DeltaHistory;
  #landed: LandedMemory;
  /** The first version of which `#landed` knows. */
  #landedFrom = 0;
  #snapshot: Snapshot = EMPTY_SNAPSHOT;
  #checkpointVersion = -1;

  /** `table` ends with a slash. */
  constructor(store: ObjectStore, table: string, options: DeltaLogOptions = {}) {
    this.#store = store;
    this.#prefix = `${table}_delta_log/`;
    this.#options = options;
    this.#landed = this.#newMemory();
    this.#reader = new DeltaReader(store, this.#prefix, (error) => options.onProblem?.(error));
    this.#history = new DeltaHistory(table, this.#reader);
  }

  /** The newest snapshot that was read. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** What became of a landing object; undefined where no commit that is remembered names it. */
  async fateOf(key: string): Promise<Fate | undefined> {
    for (;;) {
      const fate = this.#landed.fateOf(key);
      if (fate !== undefined || this.#landedFrom === 0) return fate;
      await this.#lookBack();
    }
  }

  /** The newest snapshot there is. */
  async refresh(): Promise<Snapshot> {
    const from = this.#snapshot.version < 0 ? await this.#load() : this.#snapshot;
    // Together with the commit that was read last: if that is gone, the log was cleaned up beyond what is known here,
    // and a missing commit does not mean that there is none.
    const [next, isLastThere] = await Promise.all([
      this.#reader.commit(from.version + 1),
      from.version < 0 || this.#reader.isThere(from.version),
    ]);
    if (next === undefined) return isLastThere ? from : this.#load();
    const builder = new SnapshotBuilder(from);
    let { version } = from;
    for (let actions: typeof next | undefined = next; actions !== undefined;) {
      this.#landed.note(actions);
      builder.apply(++version, actions, commitKey(this.#prefix, version));
      actions = await this.#reader.commit(version + 1);
    }
    return this.#adopt(builder.build());
  }

  /** The table as it was. Throws PipelineError "lake.version_gone", "lake.version_unknown". */
  async at(asOf: AsOf): Promise<Snapshot> {
    return this.#history.at(asOf, await this.refresh());
  }

  /** The newest commits that the log still has, oldest first. */
  history(limit: number): Promise<readonly HistoryEntry[]> {
    return this.#history.newest(limit);
  }

  /**
   * Makes rows visible, on top of whatever others append meanwhile.
   *
   * "overtaken": another writer has moved one of the expected transactions on, so the plan must be made anew;
   * nothing was committed. Durable when it resolves with "committed".
   */
  async append(append: Append): Promise<"committed" | "overtaken"> {
    for (let rebase = 0; rebase < REBASES_MAX; rebase++) {
      const snapshot = this.#snapshot;
      if (isOvertaken(append, snapshot)) return "overtaken";
      checkWritable(snapshot, this.#prefix);
      const actions = [...appendHead(append, snapshot), ...append.actions];
      if (await this.#tryCommit(snapshot, actions, append.commitInfo)) return "committed";
    }
    throw this.#tooManyRebases();
  }

  /**
   * Puts files in the place of others, on top of whatever others append meanwhile.
   *
   * "conflict": nothing was committed, and it must be planned anew. Durable when it resolves with "committed".
   */
  async rewrite(
    rewrite: Rewrite,
  ): Promise<{ readonly state: "committed" } | { readonly state: "conflict"; readonly reason: string }> {
    const planned = rewrite.planned ?? this.#snapshot;
    for (let rebase = 0; rebase < REBASES_MAX; rebase++) {
      const snapshot = this.#snapshot;
      const reason = rewriteConflict(rewrite, planned, snapshot);
      if (reason !== undefined) return { state: "conflict", reason };
      checkWritable(snapshot, this.#prefix);
      this.#checkColumns(rewrite, snapshot);
      if (rewrite.dataChange === true) checkChangeable(snapshot, this.#prefix);
      if (await this.#tryCommit(snapshot, rewriteActions(rewrite, snapshot), rewrite.commitInfo))
        return { state: "committed" };
    }
    throw this.#tooManyRebases();
  }

  /** A program that does not know a column would leave its values behind in the files that it removes. */
  #checkColumns({ add }: Rewrite, { metaData }: Snapshot): void {
    const { columns } = this.#options;
    if (columns === undefined || metaData === undefined || add.length === 0) return;
    checkAllKnown(metaData.name ?? this.#prefix, metaData.schemaString, columns);
  }

  #tooManyRebases(): PipelineError {
    return new PipelineError(
      "store.conflict",
      `${this.#prefix}: ${REBASES_MAX} commits of others came first`,
      { hint: "Let fewer programs write to the table." },
    );
  }

  async #tryCommit(
    snapshot: Snapshot,
    body: readonly Action[],
    { timestamp, ...stated }: OwnCommitInfo,
  ): Promise<boolean> {
    const version = snapshot.version + 1;
    const commitInfo = {
      ...(timestamp === undefined ? {} : { timestamp: nextCommittedAtMs(snapshot.committedAtMs, timestamp) }),
      ...stated,
    };
    const actions: readonly Action[] = [{ commitInfo }, ...body];
    const key = commitKey(this.#prefix, version);
    if ((await this.#store.put(key, formatActions(actions), { ifAbsent: true })) === "created") {
      this.#apply(snapshot, version, actions);
      await this.#maintain();
      return true;
    }
    const found = await this.#reader.commit(version);
    if (found === undefined)
      throw new PipelineError("lake.log_damaged", `${key} was there and is gone`, {
        hint: "Another program deletes the table's log. Stop it, then look whether the log has a hole.",
      });
    this.#apply(snapshot, version, found);
    // An earlier try of ours may have got through although its answer was lost.
    return commitInfoOf(found)?.txnId === stated.txnId;
  }

  #apply(snapshot: Snapshot, version: number, actions: readonly Action[]): void {
    const builder = new SnapshotBuilder(snapshot);
    builder.apply(version, actions, commitKey(this.#prefix, version));
    this.#landed.note(actions);
    this.#adopt(builder.build());
  }

  /** Keeps the newer of two snapshots: several readers may be at work at once. */
  #adopt(snapshot: Snapshot): Snapshot {
    if (snapshot.version > this.#snapshot.version) this.#snapshot = snapshot;
    return this.#snapshot;
  }

  async #load(): Promise<Snapshot> {
    const read = await this.#reader.newest();
    if (read.snapshot.version < this.#snapshot.version)
      throw logHole(this.#prefix, read.snapshot.version + 1);
    this.#landed = this.#newMemory();
    for (const actions of read.commits) this.#landed.note(actions);
    this.#landedFrom = read.firstVersion;
    this.#checkpointVersion = Math.max(this.#checkpointVersion, read.checkpointVersion);
    return this.#adopt(read.snapshot);
  }

  #newMemory(): LandedMemory {
    return new LandedMemory(this.#options.rememberMs ?? DAY_MS);
  }

  /** Reads some of the commits before those that are known, for what they say of landing objects. */
  async #lookBack(): Promise<void> {
    const to = this.#landedFrom;
    const from = Math.max(0, to - LOOK_BACK_COMMITS);
    const commits: (readonly Action[])[] = [];
    for await (const [, actions] of this.#reader.commitsFrom(from, to))
      if (actions !== undefined) commits.push(actions);
    this.#landed.noteEarlier(commits);
    const oldestMs = commitInfoOf(commits[0] ?? [])?.timestamp;
    const enough =
      commits.length < to - from || (oldestMs !== undefined && this.#landed.isForgotten(oldestMs));
    this.#landedFrom = enough ? 0 : from;
  }

  /** Writes a checkpoint and cleans up where it is time. It failing costs time later, and no commit. */
  async #maintain(): Promise<void> {
    const { version, files, tombstones } = this.#snapshot;
    const wait = Math.ceil((files.size + tombstones.size) / CHECKPOINT_ENTRIES_PER_COMMIT);
    const due = Math.min(CHECKPOINT_COMMITS_MAX, Math.max(CHECKPOINT_COMMITS_MIN, wait));
    if (version - this.#checkpointVersion < due) return;
    // Not at every commit again where it fails.
    this.#checkpointVersion = version;
    try {
      await this.checkpoint();
      await this.#cleanUp();
    } catch (cause) {
      const error = new PipelineError(
        "lake.checkpoint_failed",
        `${this.#prefix}: version ${version} has no checkpoint: ${describeError(cause)}`,
        {
          cause,
          hint: "The commit is in order, and reading the log takes longer until the next checkpoint.",
        },
      );
      this.#options.onProblem?.(error);
    }
  }

  /** Writes a checkpoint of the newest snapshot that was read. */
  async checkpoint(): Promise<void> {
    const snapshot = withoutOld(this.#snapshot, this.#snapshot.committedAtMs - this.#retentionMs);
    if (snapshot.version < 0) return;
    const { body, actions } = encodeCheckpoint(snapshot);
    await this.#store.put(checkpointKey(this.#prefix, snapshot.version), body, { ifAbsent: true });
    await this.#store.put(lastCheckpointKey(this.#prefix), formatHint(snapshot, actions, body.byteLength));
    this.#checkpointVersion = snapshot.version;
    if (this.#snapshot.version === snapshot.version) this.#snapshot = snapshot;
  }

  async #cleanUp(): Promise<void> {
    const keepFromMs = this.#snapshot.committedAtMs - this.#retentionMs;
    await cleanUpLog({ store: this.#store, prefix: this.#prefix, reader: this.#reader, keepFromMs });
  }

  /** Commits are kept as long as the fate of landing objects is looked up in them. */
  get #retentionMs(): number {
    return Math.max(this.#options.retentionMs ?? RETENTION_MS, this.#options.rememberMs ?? DAY_MS);
  }
}

/** A snapshot without tombstones of files that nobody reads any more. */
function withoutOld(snapshot: Snapshot, beforeMs: number): Snapshot {
  const old = new Map<string, RemoveFile | undefined>();
  for (const [path, { deletionTimestamp = 0 }] of snapshot.tombstones)
    if (deletionTimestamp < beforeMs) old.set(path, undefined);
  return { ...snapshot, tombstones: snapshot.tombstones.with(old) };
}

/** What must come before an append's rows: the table, where it is new, or its new columns. */
function appendHead({ metaData, checkSchema }: Append, snapshot: Snapshot): readonly Action[] {
  if (snapshot.version < 0) return [{ protocol: PROTOCOL }, { metaData }];
  if (snapshot.metaData === undefined) return [];
  checkPartitions(snapshot.metaData, metaData);
  const schemaString = checkSchema(snapshot.metaData.schemaString);
  return schemaString === undefined ? [] : [{ metaData: { ...snapshot.metaData, schemaString } }];
}

/** Another division into partitions would give files of ours a place that no reader looks for. */
function checkPartitions({ name, partitionColumns: there }: MetaData, { partitionColumns }: MetaData): void {
  if (there.join() === partitionColumns.join()) return;
  throw new PipelineError(
    "lake.schema_mismatch",
    `table ${name ?? ""}: it is partitioned by ${there.join(", ") || "nothing"}, and this version writes by ${partitionColumns.join(", ")}`,
    { hint: "Another engine has made the table anew. Restore it from a backup, or start a new lake." },
  );
}
