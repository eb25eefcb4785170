import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { concurrently } from "./concurrently.ts";
import { type Action, formatActions, parseActions } from "./delta-action.ts";
import {
  type Append,
  isOvertaken,
  type OwnCommitInfo,
  type Rewrite,
  rewriteActions,
  rewriteConflict,
} from "./delta-conflict.ts";
import { type Fate, LandedMemory } from "./landed-memory.ts";
import {
  checkWritable,
  EMPTY_SNAPSHOT,
  nextCommittedAtMs,
  PROTOCOL,
  type Snapshot,
  SnapshotBuilder,
} from "./delta-snapshot.ts";

/** Digits of a version in the log's file names (Delta protocol, "Delta Log Entries"). */
const VERSION_DIGITS = 20;

/** Commits that are fetched at once when a log is read from the start. */
const FETCHES_MAX = 16;

/** How long the fate of landing objects is remembered, unless it is said: a day of milliseconds. */
const REMEMBER_MS = 86_400_000;

/** How often a commit is tried on top of others' commits: each failure means that another one got through. */
const REBASES_MAX = 1_000;

/**
 * The log of one Delta table: JSON commits, each put with "create only", so that of any number of writers exactly
 * one makes a version.
 *
 * Errors: PipelineError "lake.log_damaged", "lake.log_hole", "lake.protocol_unsupported", "lake.schema_mismatch".
 */
export class DeltaLog {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #landed: LandedMemory;
  #snapshot: Snapshot = EMPTY_SNAPSHOT;

  /** `table` ends with a slash; `rememberMs` is how long the fate of landing objects matters. */
  constructor(store: ObjectStore, table: string, rememberMs = REMEMBER_MS) {
    this.#store = store;
    this.#landed = new LandedMemory(rememberMs);
    this.#prefix = `${table}_delta_log/`;
  }

  /** The newest snapshot that was read. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** What became of a landing object; undefined where no commit that is remembered names it. */
  fateOf(key: string): Fate | undefined {
    return this.#landed.fateOf(key);
  }

  /** Reads what others have committed since. */
  async refresh(): Promise<Snapshot> {
    if (this.#snapshot.version < 0) return this.#load();
    const from = this.#snapshot;
    const builder = new SnapshotBuilder(from);
    let version = from.version;
    for (;;) {
      const actions = await this.#read(version + 1);
      if (actions === undefined) break;
      this.#landed.note(actions);
      builder.apply(++version, actions);
    }
    return version === from.version ? from : this.#adopt(builder.build());
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
      checkWritable(snapshot);
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
      checkWritable(snapshot);
      if (await this.#tryCommit(snapshot, rewriteActions(rewrite, snapshot), rewrite.commitInfo))
        return { state: "committed" };
    }
    throw this.#tooManyRebases();
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
    const result = await this.#store.put(this.#key(version), formatActions(actions), { ifAbsent: true });
    if (result === "created") {
      this.#apply(snapshot, version, actions);
      return true;
    }
    const found = await this.#read(version);
    if (found === undefined)
      throw new PipelineError("lake.log_damaged", `${this.#key(version)} was there and is gone`, {
        hint: "Another program deletes the table's log. Stop it, then look whether the log has a hole.",
      });
    this.#apply(snapshot, version, found);
    // An earlier try of ours may have got through although its answer was lost.
    return found.some((action) => "commitInfo" in action && action.commitInfo.txnId === stated.txnId);
  }

  #apply(snapshot: Snapshot, version: number, actions: readonly Action[]): void {
    const builder = new SnapshotBuilder(snapshot);
    builder.apply(version, actions);
    this.#landed.note(actions);
    this.#adopt(builder.build());
  }

  /** Keeps the newer of two snapshots: several readers may be at work at once. */
  #adopt(snapshot: Snapshot): Snapshot {
    if (snapshot.version > this.#snapshot.version) this.#snapshot = snapshot;
    return this.#snapshot;
  }

  async #load(): Promise<Snapshot> {
    const versions: number[] = [];
    for await (const { key } of this.#store.list(this.#prefix)) {
      const match = /^(\d{20})\.json$/.exec(key.slice(this.#prefix.length));
      if (match !== null) versions.push(Number(match[1]));
    }
    const hole = versions.findIndex((version, i) => version !== i);
    if (hole >= 0)
      throw new PipelineError("lake.log_hole", `${this.#key(hole)} is missing, later commits are there`, {
        hint: "Restore the object from a backup of the lake; committing on top of the hole would lose rows.",
      });
    const builder = new SnapshotBuilder(EMPTY_SNAPSHOT);
    const commits = concurrently(versions, FETCHES_MAX, (version) => this.#read(version));
    for await (const [version, actions] of commits) {
      if (actions === undefined)
        throw new PipelineError("lake.log_damaged", `${this.#key(version)} was listed and is gone`);
      this.#landed.note(actions);
      builder.apply(version, actions);
    }
    return this.#adopt(builder.build());
  }

  async #read(version: number): Promise<readonly Action[] | undefined> {
    const key = this.#key(version);
    const result = await this.#store.get(key);
    if (result.state !== "found") return undefined;
    return parseActions(key, new TextDecoder().decode(result.object.body));
  }

  #key(version: number): string {
    return `${this.#prefix}${String(version).padStart(VERSION_DIGITS, "0")}.json`;
  }
}

/** What must come before an append's rows: the table, where it is new, or its new columns. */
function appendHead({ metaData, checkSchema }: Append, snapshot: Snapshot): readonly Action[] {
  if (snapshot.version < 0) return [{ protocol: PROTOCOL }, { metaData }];
  if (snapshot.metaData === undefined) return [];
  const schemaString = checkSchema(snapshot.metaData.schemaString);
  return schemaString === undefined ? [] : [{ metaData: { ...snapshot.metaData, schemaString } }];
}
