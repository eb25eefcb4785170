import { viewHash } from "@sluice/shared/codec/hash.ts";
import { type FeatureView, featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { viewKey } from "@sluice/shared/contract/lake-key.ts";
import type { FeatureVector, StoredVector } from "@sluice/shared/contract/vector.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { Lake } from "./lake/lake.ts";

/** One run of one view on one gateway: what its buffer's epoch computed from `sinceOffset` on. */
interface Run {
  readonly gateway: string;
  readonly epoch: string;
  readonly view: string;
  readonly viewHash: string;
  readonly sinceOffset: number;
}

export interface ParityRow extends Run {
  /** Vectors of the gateway in the lake. */
  readonly vectors: number;
  /** Those whose recomputation has the same bits. */
  readonly equal: number;
  readonly different: number;
  /** Those whose readings are not all in the lake yet. */
  readonly waiting: number;
  /** The first difference, or why nothing could be compared; undefined where all is well. */
  readonly problem: string | undefined;
}

type Views = Pick<ObjectStore, "get">;
type Tables = Pick<Lake, "sql" | "vectorsOf" | "readings">;

/** Recomputes every vector in the lake from the readings in the lake, by the same engine, and compares the bits. */
export async function verifyFeatures(store: Views, lake: Tables): Promise<readonly ParityRow[]> {
  const found = await lake.sql(
    `SELECT DISTINCT gateway, epoch, "view", view_hash, since_offset FROM features ORDER BY ALL`,
  );
  const rows: ParityRow[] = [];
  for (const [gateway, epoch, view, hash, sinceOffset] of found.rows) {
    const run = {
      gateway: String(gateway),
      epoch: String(epoch),
      view: String(view),
      viewHash: String(hash),
      sinceOffset: Number(sinceOffset),
    };
    rows.push(await verifyRun(store, lake, run));
  }
  return rows;
}

async function verifyRun(store: Views, lake: Tables, run: Run): Promise<ParityRow> {
  const stored = (await lake.vectorsOf(run)).filter((vector) => vector.sinceOffset === run.sinceOffset);
  const view = await readView(store, run.viewHash);
  const nothing = { ...run, vectors: stored.length, equal: 0, different: 0, waiting: stored.length };
  if (view === undefined)
    return { ...nothing, problem: `its view is not in the lake: ${viewKey(run.viewHash)}` };
  const engine = new WindowEngine(view, run.viewHash, run.sinceOffset);
  let [next, equal] = [0, 0];
  let problem: string | undefined;
  let lastOffset = -1;
  for await (const block of lake.readings({ ...run, fromOffset: run.sinceOffset })) {
    lastOffset = block.offset[block.count - 1] ?? lastOffset;
    for (const vector of engine.process(block)) {
      const expected = stored[next];
      if (expected === undefined) break; // The gateway's later vectors have not landed yet.
      next++;
      const difference = differenceOf(expected, vector);
      if (difference === undefined) equal++;
      else problem ??= `${expected.device}, window ending ${expected.windowEndUs}: ${difference}`;
    }
    if (next === stored.length) break;
  }
  // What a landed message closed must have been recomputed by then.
  const missed = stored.slice(next).filter(({ throughOffset }) => throughOffset <= lastOffset);
  const [first] = missed;
  if (first !== undefined)
    problem ??= `${first.device}, window ending ${first.windowEndUs}: does not follow from the readings`;
  const different = next - equal + missed.length;
  return { ...nothing, equal, different, waiting: stored.length - equal - different, problem };
}

async function readView(store: Views, hash: string): Promise<FeatureView | undefined> {
  const result = await store.get(viewKey(hash));
  if (result.state !== "found") return undefined;
  const view = featureViewSchema.parse(JSON.parse(new TextDecoder().decode(result.object.body)));
  return viewHash(view) === hash ? view : undefined;
}

const FIELDS = [
  "device",
  "deviceType",
  "windowStartUs",
  "windowEndUs",
  "revision",
  "throughOffset",
  "closedAtUs",
  "readingCount",
] as const;

/** The first field or value that is not the same to the bit. */
function differenceOf(stored: StoredVector, recomputed: FeatureVector): string | undefined {
  for (const field of FIELDS)
    if (stored[field] !== recomputed[field])
      return `${field} is ${stored[field]}, recomputed ${recomputed[field]}`;
  for (const [i, value] of recomputed.values.entries())
    if (!Object.is(stored.values[i], value)) return `value ${i} is ${stored.values[i]}, recomputed ${value}`;
  return undefined;
}

/** The rows as a table for a person. Pure. */
export function renderParity(rows: readonly ParityRow[]): string {
  if (rows.length === 0) return "There are no feature vectors in the lake yet.";
  const cells = rows.map((row) => [
    row.gateway,
    row.epoch.slice(0, 8),
    row.view,
    ...[row.vectors, row.equal, row.different, row.waiting].map((value) => value.toLocaleString("en")),
    row.problem ?? "",
  ]);
  const table = [["gateway", "epoch", "view", "vectors", "equal", "different", "waiting", ""], ...cells];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0))) ?? [];
  return table
    .map((line) =>
      line
        .map((cell, i) => (i >= 3 && i <= 6 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
