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

/** Who writes times that only grow into its commits, as `DeltaLog` does. */
const OWN_ENGINE = "sluice";

/** Times that are kept: beyond it they are read again. */
const TIMES_MAX = 100_000;

/** What a table was, as far as its log goes back. */
export class DeltaHistory {
  readonly #table: string;
  readonly #reader: DeltaReader;
  /** When versions were committed, in milliseconds since the epoch: it never changes. */
  readonly #times = new Map<number, number>();

  /** `table` is for messages. */
  constructor(table: string, reader: DeltaReader) {
    this.#table = table;
    this.#reader = reader;
  }

  /** The newest commits that are in the log, oldest first. */
  async newest(limit: number): Promise<readonly HistoryEntry[]> {
    const { commits } = await this.#reader.list();
    const versions = commits.slice(-limit);
    let committedAtMs = -1;
    const entries: HistoryEntry[] = [];
    for await (const [version, actions] of this.#reader.commits(versions)) {
      const commitInfo = commitInfoOf(actions);
      committedAtMs =
        entries.length === 0
          ? await this.#timeOf(version, commits[0] ?? 0)
          : nextCommittedAtMs(committedAtMs, commitInfo?.timestamp);
      entries.push({ version, committedAtMs, commitInfo });
    }
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

  /** The version that was the newest at a time; -1: there was none yet. Few commits are read: their times grow. */
  async #versionAt(atMs: number): Promise<number> {
    const { commits } = await this.#reader.list();
    const [oldest] = commits;
    if (oldest === undefined) return -1;
    let found = -1;
    let [from, to] = [0, commits.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      const version = commits[middle] ?? oldest;
      if ((await this.#timeOf(version, oldest)) <= atMs) [found, from] = [version, middle + 1];
      else to = middle;
    }
    if (found >= 0 || oldest === 0) return found;
    const since = isoTime((await this.#timeOf(oldest, oldest)) * 1_000);
    throw new PipelineError(
      "lake.version_gone",
      `${this.#table} as it was at ${isoTime(atMs * 1_000)} cannot be read any more`,
      { hint: `The log was cleaned up; it goes back to ${since} (version ${oldest}).` },
    );
  }

  /** When a version was committed. What others wrote, with whatever clock, comes after the last of our commits. */
  async #timeOf(version: number, oldest: number): Promise<number> {
    const stated: (readonly [version: number, ms: number | undefined])[] = [];
    let timeMs = -1;
    for (let before = version; before >= oldest && timeMs < 0; before--) {
      const commitInfo = this.#times.has(before)
        ? { engineInfo: OWN_ENGINE, timestamp: this.#times.get(before) }
        : commitInfoOf((await this.#reader.commit(before)) ?? []);
      if (commitInfo?.engineInfo === OWN_ENGINE && commitInfo.timestamp !== undefined)
        timeMs = commitInfo.timestamp;
      else stated.push([before, commitInfo?.timestamp]);
    }
    if (this.#times.size > TIMES_MAX) this.#times.clear();
    for (const [each, ms] of stated.toReversed())
      this.#times.set(each, (timeMs = nextCommittedAtMs(timeMs, ms)));
    this.#times.set(version, timeMs);
    return timeMs;
  }
}
