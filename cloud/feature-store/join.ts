import { PointInTimeJoin } from "../dataset/point-in-time.ts";
import { rankSources } from "../dataset/sources.ts";
import type { JoinSession, StatusCounts } from "../lake/join-session.ts";
import type { Lake } from "../lake/lake.ts";
import type { RowFormat } from "../lake/request-rows.ts";
import { checkOut, type OutFile } from "../lake/write-rows.ts";
import type { Progress } from "./progress.ts";
import { type PublishedView, shortHash } from "./views.ts";

/** What is to be joined with what. */
export interface JoinSpec {
  readonly views: readonly PublishedView[];
  readonly rows: { readonly path: string; readonly format: RowFormat } | "labels";
  /** For all rows, in place of what they say. */
  readonly knownAtUs?: number;
  readonly out: OutFile;
}

/** What came of a join. */
export interface JoinSummary {
  readonly rows: number;
  readonly out: string;
  readonly columns: readonly string[];
  readonly views: readonly {
    readonly view: string;
    readonly hash: string;
    /** Vectors of the view in the lake, every revision counted. */
    readonly vectors: number;
    readonly statuses: StatusCounts;
  }[];
}

/**
 * Writes each request row with the features of each view as they could be known: exactly one row for each, in the
 * order of the rows, whatever there is of vectors.
 */
export async function joinFeatures(
  lake: Pick<Lake, "join">,
  spec: JoinSpec,
  progress: Progress,
): Promise<JoinSummary> {
  await checkOut(spec.out);
  return lake.join(async (session) => {
    progress("reading the rows");
    const rows = await session.load(spec.rows, spec.knownAtUs);
    const views: JoinSummary["views"][number][] = [];
    for (const view of spec.views) views.push(await joinView(session, prefixed(view, spec.views), progress));
    progress(`writing ${spec.out.path}`);
    const columns = await session.write(spec.out);
    return { rows, out: spec.out.path, columns, views };
  });
}

async function joinView(
  session: JoinSession,
  joined: PublishedView & { readonly prefix: string },
  progress: Progress,
): Promise<JoinSummary["views"][number]> {
  const { view, hash } = joined;
  const doing = `view ${view.name}: sorting vectors`;
  progress(doing);
  const sources = rankSources(await session.sources(hash));
  const vectors = sources.reduce((sum, source) => sum + source.vectors, 0);
  const requests = await session.requests();
  const join = new PointInTimeJoin(requests, view.ttlMs * 1_000);
  for await (const chunk of session.vectorKeys(hash, sources)) {
    join.push(chunk);
    progress(`view ${view.name}: joining`, join.answered / Math.max(1, requests.entity.length));
  }
  progress(`view ${view.name}: fetching values`);
  const statuses = await session.keep(joined, join.finish());
  return { view: view.name, hash, vectors, statuses };
}

/** Two versions of one view in one join have their hashes in the names of their columns. */
function prefixed(
  view: PublishedView,
  all: readonly PublishedView[],
): PublishedView & { readonly prefix: string } {
  const { name } = view.view;
  const isAlone = all.filter((other) => other.view.name === name).length === 1;
  return { ...view, prefix: isAlone ? name : `${name}@${shortHash(view.hash)}` };
}
