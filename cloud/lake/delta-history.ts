import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { CommitInfo } from "./delta-action.ts";
import type { DeltaReader } from "./delta-reader.ts";
import { commitInfoOf, EMPTY_SNAPSHOT, nextCommittedAtMs, type Snapshot } from "./delta-snapshot.ts";

/** Which state of a table is meant: a version, or the one that was the newest at a time. */
export type AsOf = { readonly version: number } | { readonly atMs: number };

/** A commit that is still in the log. */
export interface HistoryEntry {
  readonly version: number;
  /** Milliseconds since the epoch; later than the commit before it. */
  readonly committedAtMs: number;
  readonly commitInfo: CommitInfo | undefined;
}

/** What a table was, as far as its log goes back. */
export class DeltaHistory {
  readonly #table: string;
  readonly #reader: DeltaReader;
  /** What was read of commits before: they never change. */
  #entries: readonly HistoryEntry[] = [];

  /** `table` is for messages. */
  constructor(table: string, reader: DeltaReader) {
    this.#table = table;
    this.#reader = reader;
  }

  /** All commits in the log, oldest first. Reads what it has not read yet. */
  async entries(): Promise<readonly HistoryEntry[]> {
    const { commits } = await this.#reader.list();
    const first = commits[0] ?? 0;
    const entries = this.#entries.filter(({ version }) => version >= first);
    const known = entries.at(-1)?.version ?? -1;
    let committedAtMs = entries.at(-1)?.committedAtMs ?? -1;
    for await (const [version, actions] of this.#reader.commits(commits.filter((each) => each > known))) {
      const commitInfo = commitInfoOf(actions);
      committedAtMs = nextCommittedAtMs(committedAtMs, commitInfo?.timestamp);
      // What landed is not kept: it is most of a commit.
      const { sluice: _, ...rest } = commitInfo ?? {};
      entries.push({ version, committedAtMs, commitInfo: commitInfo === undefined ? undefined : rest });
    }
    this.#entries = entries;
    return entries;
  }

  /**
   * The table as it was; empty where it was not there yet.
   *
   * Throws PipelineError "lake.version_gone" where the log was cleaned up, "lake.version_unknown" beyond the newest.
   */
  async at(asOf: AsOf, newest: Snapshot): Promise<Snapshot> {
    const version = "version" in asOf ? asOf.version : await this.#versionAt(asOf.atMs);
    if (version === -1) return EMPTY_SNAPSHOT;
    if (version === newest.version) return newest;
    if (version > newest.version)
      throw new PipelineError("lake.version_unknown", `${this.#table} has no version ${version}`, {
        hint: newest.version < 0 ? "The table is not there yet." : `The newest is ${newest.version}.`,
      });
    return this.#reader.at(version);
  }

  async #versionAt(atMs: number): Promise<number> {
    const entries = await this.entries();
    const found = entries.findLast(({ committedAtMs }) => committedAtMs <= atMs);
    if (found !== undefined) return found.version;
    const oldest = entries[0];
    if (oldest === undefined || oldest.version === 0) return -1;
    throw new PipelineError(
      "lake.version_gone",
      `${this.#table} as it was at ${isoTime(atMs * 1_000)} cannot be read any more`,
      {
        hint: `The log was cleaned up; it goes back to ${isoTime(oldest.committedAtMs * 1_000)} (version ${oldest.version}).`,
      },
    );
  }
}
