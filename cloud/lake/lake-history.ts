import { parseLandingKey, tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { Action, CommitInfo } from "./delta-action.ts";
import { listLog } from "./delta-listing.ts";
import { DeltaReader } from "./delta-reader.ts";
import { parseStats } from "./delta-stats.ts";

/** One version of a table. */
export interface HistoryLine {
  readonly version: number;
  readonly at: string | undefined;
  readonly operation: string;
  readonly filesAdded: number;
  readonly filesRemoved: number;
  /** Undefined: a file says nothing of its rows, or the version before cannot be read any more. */
  readonly rowsAdded: number | undefined;
  readonly rowsRemoved: number | undefined;
  readonly gateways: readonly string[];
  /** Ranges that were passed over because their object could not be used. */
  readonly lostRanges: number;
  readonly reason: string | undefined;
  readonly engine: string | undefined;
}

export interface TableHistory {
  readonly table: Stream;
  /** Newest first. */
  readonly versions: readonly HistoryLine[];
  /** Versions that are in the log and were not asked for. */
  readonly more: number;
  /** The oldest version that the log still has a commit of; undefined: none. */
  readonly oldest: number | undefined;
}

/** The newest versions of a table, at most `limit`. Reads their commits, and the version before them where files went. */
export async function tableHistory(store: ObjectStore, table: Stream, limit: number): Promise<TableHistory> {
  const prefix = `${tablePrefix(table)}_delta_log/`;
  const { commits } = await listLog(store, prefix);
  const chosen = commits.slice(-limit);
  const reader = new DeltaReader(store, prefix, () => undefined);
  const read: (readonly [number, readonly Action[]])[] = [];
  for await (const commit of reader.commits(chosen)) read.push(commit);
  const removes = read.some(([, actions]) => actions.some((action) => "remove" in action));
  const rows = removes ? await rowsBefore(reader, chosen[0] ?? 0) : new Map<string, number | undefined>();
  return {
    table,
    versions: read.map(([version, actions]) => lineOf(version, actions, rows)).toReversed(),
    more: commits.length - chosen.length,
    oldest: commits[0],
  };
}

/** The rows of each file of the version before; what cannot be read any more is not known. */
async function rowsBefore(reader: DeltaReader, version: number): Promise<Map<string, number | undefined>> {
  if (version === 0) return new Map();
  try {
    const { files } = await reader.at(version - 1);
    return new Map([...files].map(([path, { stats }]) => [path, parseStats(stats)?.numRecords]));
  } catch (error) {
    if (error instanceof PipelineError && error.code.startsWith("lake.")) return new Map();
    throw error;
  }
}

/** `rows` holds the rows of each file before the version, and after the call those after it. */
function lineOf(
  version: number,
  actions: readonly Action[],
  rows: Map<string, number | undefined>,
): HistoryLine {
  const added: (number | undefined)[] = [];
  const removed: (number | undefined)[] = [];
  let info: CommitInfo = {};
  for (const action of actions)
    if ("commitInfo" in action) info = action.commitInfo;
    else if ("remove" in action) {
      removed.push(rows.get(action.remove.path));
      rows.delete(action.remove.path);
    } else if ("add" in action) {
      const count = parseStats(action.add.stats)?.numRecords;
      added.push(count);
      rows.set(action.add.path, count);
    }
  const reason = info.operationParameters?.["reason"];
  return {
    version,
    at: info.timestamp === undefined ? undefined : isoTime(info.timestamp * 1_000),
    operation: info.operation ?? "unknown",
    filesAdded: added.length,
    filesRemoved: removed.length,
    rowsAdded: sumOf(added),
    rowsRemoved: sumOf(removed),
    gateways: [
      ...new Set((info.sluice?.landed ?? []).map(({ key }) => parseLandingKey(key)?.gateway ?? "?")),
    ],
    lostRanges: info.sluice?.lost.length ?? 0,
    reason: typeof reason === "string" ? reason : undefined,
    engine: info.engineInfo,
  };
}

const sumOf = (counts: readonly (number | undefined)[]): number | undefined =>
  counts.reduce((sum, count) => (sum === undefined || count === undefined ? undefined : sum + count), 0);
