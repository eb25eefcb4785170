import { parseLandingKey } from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { isNumbered } from "@sluice/shared/contract/stream.ts";
import { TABLE_DATE_COLUMN } from "@sluice/shared/contract/table.ts";
import { parseIsoUs } from "@sluice/shared/runtime/clock.ts";
import type { Action, AddFile, CommitInfo } from "./delta-action.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "./delta-snapshot.ts";
import { type FileStats, parseStats } from "./delta-stats.ts";
import { type Finding, type TimeSpan, unionOf } from "./verify-finding.ts";

/** A range of offsets that a commit took, both inclusive. */
export interface CommittedRange {
  readonly from: number;
  readonly to: number;
  /** Rows of it that were made visible; undefined: it was passed over. */
  readonly rows: number | undefined;
  readonly key: string;
  readonly sha256: string | undefined;
  /** Why it was passed over, and where its object lies. */
  readonly reason?: string;
  readonly setAside?: string | undefined;
  /** When the rows of its commit were measured; undefined where the statistics do not say. */
  readonly time: TimeSpan | undefined;
  readonly version: number;
}

/** What the log says of one gateway's epoch. */
export interface LedgerEntry {
  readonly gateway: string;
  readonly epoch: string;
  readonly ranges: CommittedRange[];
  /** Offset up to which commits that are gone had come; -1 where none is gone. */
  readonly baseThrough: number;
}

/** What is known of an active file. */
interface KnownFile {
  readonly file: AddFile;
  readonly stats: FileStats | undefined;
}

interface Engine {
  readonly operation: string;
  readonly engine: string;
}

/**
 * Everything that a table's log says, commit by commit, and whether its numbers agree: rows that were landed are rows
 * of files, what is arranged anew is as many rows as before, and what goes for good has a reason.
 */
export class TableLedger {
  readonly table: Stream;
  readonly entries = new Map<string, LedgerEntry>();
  readonly findings: Finding[] = [];
  readonly files = new Map<string, KnownFile>();
  /** Files that were removed; they may still be in the store. */
  readonly tombstones = new Set<string>();
  readonly txns = new Map<string, number>();
  landedRows = 0;
  /** Rows of the table before the first commit that is still there. */
  baseRows = 0;
  /** Rows that went for good, for a reason. */
  removedRows = 0;
  /** Rows of active files; undefined where a file says nothing of them. */
  activeRows: number | undefined = 0;
  commits = 0;
  newestCommitMs: number | undefined;

  constructor(table: Stream, base: Snapshot = EMPTY_SNAPSHOT) {
    this.table = table;
    for (const [path, file] of base.files) this.#addFile(path, file);
    for (const [path] of base.tombstones) this.tombstones.add(path);
    for (const [appId, { version }] of base.txns) {
      this.txns.set(appId, version);
      this.#entryOf(appId, version);
    }
    this.baseRows = this.activeRows ?? 0;
    if (base.version >= 0)
      this.findings.push({
        kind: "cleaned_up",
        explained: true,
        table,
        detail: `the commits up to version ${base.version} were cleaned up; what they took is known by its transactions and by the statistics of ${base.files.size} files`,
      });
  }

  /** Takes in the next commit. */
  take(version: number, actions: readonly Action[]): void {
    this.commits++;
    const info: CommitInfo = actions.find((action) => "commitInfo" in action)?.commitInfo ?? {};
    this.newestCommitMs = info.timestamp ?? this.newestCommitMs;
    const removed: KnownFile[] = [];
    const added: KnownFile[] = [];
    let dataChange = false;
    for (const action of actions) {
      if ("remove" in action) {
        const known = this.#removeFile(action.remove.path);
        if (known !== undefined) removed.push(known);
        dataChange ||= action.remove.dataChange;
      } else if ("add" in action) {
        // A file that is named again, with new statistics perhaps, takes its own place.
        const known = this.files.get(action.add.path);
        if (known !== undefined) removed.push(known);
        added.push(this.#addFile(action.add.path, action.add));
      } else if ("txn" in action) this.txns.set(action.txn.appId, action.txn.version);
    }
    const engine = {
      operation: info.operation ?? "an operation without a name",
      engine: info.engineInfo ?? "a program without a name",
    };
    if (removed.length > 0) this.#takeRewrite(version, { ...engine, removed, added, dataChange, info });
    else this.#takeAppend(version, { ...engine, added, info });
  }

  #takeAppend(
    version: number,
    { added, info, ...engine }: Engine & { readonly added: readonly KnownFile[]; readonly info: CommitInfo },
  ): void {
    const time = added.reduce<TimeSpan | undefined>(
      (span, { stats }) => unionOf(span, timeOf(this.table, stats)),
      undefined,
    );
    const stated = this.#takeRanges(version, info, time);
    const rows = rowsOf(added);
    this.landedRows += stated;
    if (rows === undefined)
      this.#say(
        version,
        engine,
        "added files without statistics: their rows can be counted with --deep only",
      );
    else if (rows !== stated)
      this.#say(
        version,
        engine,
        `its files have ${rows} rows, the landing objects that it names have ${stated}`,
        Math.abs(rows - stated),
      );
  }

  #takeRewrite(
    version: number,
    rewrite: Engine & {
      readonly removed: readonly KnownFile[];
      readonly added: readonly KnownFile[];
      readonly dataChange: boolean;
      readonly info: CommitInfo;
    },
  ): void {
    const [before, after] = [rowsOf(rewrite.removed), rowsOf(rewrite.added)];
    if (before === undefined || after === undefined) {
      this.#say(
        version,
        rewrite,
        "rewrote files without statistics: their rows can be counted with --deep only",
      );
      return;
    }
    if (rewrite.dataChange) this.#takeRemoval(version, rewrite, before - after);
    else if (before !== after)
      this.#say(
        version,
        rewrite,
        `it only arranges rows anew, and made ${after} rows of ${before}`,
        Math.abs(before - after),
      );
    else if (!sameBounds(this.table, rewrite.removed, rewrite.added))
      this.#say(version, rewrite, "it only arranges rows anew, and the rows' bounds are others than before");
  }

  /** Rows that went for good: fine where our own rule did it, and where it says which. */
  #takeRemoval(
    version: number,
    { info, ...engine }: Engine & { readonly info: CommitInfo },
    rows: number,
  ): void {
    const reason = reasonOf(info);
    const isOurs = engine.engine.startsWith("sluice") && reason !== undefined;
    this.removedRows += rows;
    if (!isOurs)
      this.#say(version, engine, `${rows} rows were removed, and nothing says why`, Math.abs(rows));
    else
      this.findings.push({
        kind: "removed",
        explained: true,
        table: this.table,
        count: rows,
        detail: `version ${version} removed ${rows} rows: ${reason}`,
      });
  }

  /** Notes the ranges that a commit took; returns the rows that it says they have. */
  #takeRanges(version: number, { sluice }: CommitInfo, time: TimeSpan | undefined): number {
    let rows = 0;
    for (const landed of sluice?.landed ?? []) {
      rows += landed.rows;
      this.#note(landed.key, { ...landed, time, version });
    }
    for (const lost of sluice?.lost ?? [])
      this.#note(lost.key, { ...lost, rows: undefined, sha256: undefined, time: undefined, version });
    return rows;
  }

  #note(key: string, range: Omit<CommittedRange, "from" | "to">): void {
    const parsed = parseLandingKey(key);
    if (parsed?.stream !== this.table) {
      this.findings.push({
        kind: "log",
        explained: false,
        table: this.table,
        detail: `version ${range.version} names ${key}, which is no landing object of this table`,
        remedy: "The log was changed by hand: restore it from a backup of the lake.",
      });
      return;
    }
    const { gateway, epoch, from, to } = parsed;
    this.#entryOf(`${gateway}/${epoch}/${this.table}`, -1)?.ranges.push({ ...range, from, to });
  }

  #entryOf(appId: string, baseThrough: number): LedgerEntry | undefined {
    const [gateway, epoch, stream] = appId.split("/");
    // Other programs may have transactions of their own.
    if (gateway === undefined || epoch === undefined || stream !== this.table) return undefined;
    const known = this.entries.get(appId);
    if (known !== undefined) return known;
    const entry = { gateway, epoch, ranges: [], baseThrough };
    this.entries.set(appId, entry);
    return entry;
  }

  #addFile(path: string, file: AddFile): KnownFile {
    const known = { file, stats: parseStats(file.stats) };
    this.#removeFile(path);
    this.files.set(path, known);
    this.tombstones.delete(path);
    if (this.activeRows !== undefined)
      this.activeRows = known.stats === undefined ? undefined : this.activeRows + known.stats.numRecords;
    return known;
  }

  #removeFile(path: string): KnownFile | undefined {
    const known = this.files.get(path);
    this.files.delete(path);
    this.tombstones.add(path);
    if (known?.stats !== undefined && this.activeRows !== undefined)
      this.activeRows -= known.stats.numRecords;
    return known;
  }

  #say(version: number, { operation, engine }: Engine, what: string, count?: number): void {
    this.findings.push({
      kind: "count",
      explained: false,
      table: this.table,
      ...(count === undefined ? {} : { count }),
      detail: `version ${version} (${operation} by ${engine}): ${what}`,
      remedy: `Look at it with \`sluice-cloud lake history ${this.table}\`, and at the rows as they were before with \`--as-of\`.`,
    });
  }
}

function rowsOf(files: readonly KnownFile[]): number | undefined {
  let rows = 0;
  for (const { stats } of files) {
    if (stats === undefined) return undefined;
    rows += stats.numRecords;
  }
  return rows;
}

/** When the rows of a file were measured. */
export function timeOf(table: Stream, stats: FileStats | undefined): TimeSpan | undefined {
  const column = TABLE_DATE_COLUMN[table];
  const [from, through] = [stats?.minValues[column], stats?.maxValues[column]];
  if (typeof from !== "string" || typeof through !== "string") return undefined;
  const span = { fromUs: parseIsoUs(from), throughUs: parseIsoUs(through) };
  return Number.isFinite(span.fromUs) && Number.isFinite(span.throughUs) ? span : undefined;
}

/** Whether two sets of files have the same least and greatest offset, as far as their statistics say. */
function sameBounds(table: Stream, before: readonly KnownFile[], after: readonly KnownFile[]): boolean {
  const column = isNumbered(table) ? "seq" : "offset";
  const [a, b] = [before, after].map((files) => {
    const bounds = files
      .filter(({ stats }) => (stats?.numRecords ?? 0) > 0)
      .map(({ stats }) => [stats?.minValues[column], stats?.maxValues[column]] as const);
    if (bounds.length === 0) return [];
    if (
      !bounds.every((pair): pair is readonly [number, number] =>
        pair.every((bound) => typeof bound === "number"),
      )
    )
      return undefined;
    return [Math.min(...bounds.map(([min]) => min)), Math.max(...bounds.map(([, max]) => max))];
  });
  return a === undefined || b === undefined || (a[0] === b[0] && a[1] === b[1]);
}

/** Why a commit of ours removed rows. */
function reasonOf({ operationParameters = {} }: CommitInfo): string | undefined {
  const reason = operationParameters["reason"] ?? operationParameters["predicate"];
  return typeof reason === "string" && reason !== "" ? reason : undefined;
}
