import type { CommitInfo, AddFile, Action, MetaData, RemoveFile } from "./delta-action.ts";
import type { Snapshot } from "./delta-snapshot.ts";

/** What every commit of ours says of itself: `txnId` finds it again where the answer to its put was lost. */
export type OwnCommitInfo = CommitInfo & { readonly txnId: string };

/** An append: its actions, and what makes it safe to put on top of commits that came meanwhile. */
export interface Append {
  readonly actions: readonly Action[];
  readonly commitInfo: OwnCommitInfo;
  /** What the table is, if this append is its first commit. */
  readonly metaData: MetaData;
  /** The transaction version that each application must still have; -1: none yet. */
  readonly expected: ReadonlyMap<string, number>;
  /**
   * The schema that the table must get in the same commit, because the rows have more columns; undefined: it may stay.
   * Throws where the rows may not go into a table with this schema.
   */
  readonly checkSchema: (schemaString: string) => string | undefined;
}

/** Files that take the place of others. */
export interface Rewrite {
  /** Paths of active files. */
  readonly remove: readonly string[];
  readonly add: readonly AddFile[];
  readonly commitInfo: OwnCommitInfo & { readonly timestamp: number };
  /** True where rows change or go for good; by default the same rows are only arranged anew. */
  readonly dataChange?: boolean;
  /** The snapshot that it was planned on; by default the newest that the log has read. */
  readonly planned?: Snapshot;
}

/**
 * Whether an append may go on top of a snapshot: yes, unless one of its transactions was moved on by another writer.
 *
 * Appends read no files, so others' appends and rewrites do not matter to them; a changed schema is for `checkSchema`.
 */
export function isOvertaken({ expected }: Append, snapshot: Snapshot): boolean {
  for (const [appId, version] of expected)
    if ((snapshot.txns.get(appId)?.version ?? -1) !== version) return true;
  return false;
}

/**
 * Why a rewrite must be planned anew on a newer snapshot; undefined where it may go on top of it.
 *
 * - Others' appends, and rewrites of other files, do not matter.
 * - A file that it removes must still be active: otherwise another has rewritten or deleted its rows.
 * - The table must be the same, with the same schema and protocol: its files are written by them.
 */
export function rewriteConflict(
  { remove, add }: Rewrite,
  planned: Snapshot,
  now: Snapshot,
): string | undefined {
  if (now.version < 0) return "the table does not exist";
  if (JSON.stringify(now.metaData) !== JSON.stringify(planned.metaData))
    return "the table's schema was changed";
  if (JSON.stringify(now.protocol) !== JSON.stringify(planned.protocol))
    return "the table's protocol was changed";
  const gone = remove.find((path) => !now.files.has(path));
  if (gone !== undefined) return `another writer has removed ${gone}`;
  const there = add.find(({ path }) => now.files.has(path) && !remove.includes(path));
  return there === undefined ? undefined : `another writer has added ${there.path}`;
}

/** The actions of a rewrite on top of a snapshot that has the files. */
export function rewriteActions(rewrite: Rewrite, { files }: Snapshot): readonly Action[] {
  const { remove, add, commitInfo, dataChange = false } = rewrite;
  const kept = new Set(add.map(({ path }) => path));
  return [
    ...remove
      .filter((path) => !kept.has(path))
      .map((path) => ({
        remove: tombstoneOf(path, files.get(path), { deletionTimestamp: commitInfo.timestamp, dataChange }),
      })),
    ...add.map((file) => ({ add: { ...file, dataChange } })),
  ];
}

const tombstoneOf = (
  path: string,
  file: AddFile | undefined,
  state: Pick<RemoveFile, "deletionTimestamp" | "dataChange">,
): RemoveFile => ({
  path,
  ...state,
  ...(file === undefined
    ? {}
    : { extendedFileMetadata: true, partitionValues: file.partitionValues, size: file.size }),
});
