import { backfillKey, isBackfillEpoch } from "@sluice/shared/contract/backfill.ts";
import { viewKey } from "@sluice/shared/contract/lake-key.ts";
import type { FeatureVector, StoredVector } from "@sluice/shared/contract/vector.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { Lake } from "../lake/lake.ts";
import { readingsOf } from "./backfill.ts";
import { isKept, readRecord } from "./backfill-record.ts";
import type { Progress } from "./progress.ts";
import { renderTable } from "./table.ts";
import { readView } from "./views.ts";

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
export async function verifyFeatures(
  { store, lake }: { readonly store: Views; readonly lake: Tables },
  progress: Progress,
): Promise<readonly ParityRow[]> {
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
    rows.push(await verifyRun({ store, lake }, run, progress));
  }
  return rows;
}

async function verifyRun(
  { store, lake }: { readonly store: Views; readonly lake: Tables },
  run: Run,
  progress: Progress,
): Promise<ParityRow> {
  const doing = `${run.view} on ${run.gateway}`;
  progress(doing);
  const stored = (await lake.vectorsOf(run)).filter((vector) => vector.sinceOffset === run.sinceOffset);
  const view = await readView(store, run.viewHash);
  const nothing = { ...run, vectors: stored.length, equal: 0, different: 0, waiting: stored.length };
  if (view === undefined)
    return { ...nothing, problem: `its view is not in the lake: ${viewKey(run.viewHash)}` };
  const record = isBackfillEpoch(run.epoch) ? await readRecord(store, run.epoch) : undefined;
  if (isBackfillEpoch(run.epoch) && record === undefined)
    return { ...nothing, problem: `its record is not in the lake: ${backfillKey(run.epoch)}` };
  // The readings of a back-fill are those of the buffer that it went through.
  const readings = lake.readings({
    gateway: run.gateway,
    epoch: record?.sourceEpoch ?? run.epoch,
    fromOffset: run.sinceOffset,
    ...readingsOf(view),
  });
  const engine = new WindowEngine(view, run.viewHash, run.sinceOffset);
  let [next, equal] = [0, 0];
  let problem: string | undefined;
  let lastOffset = -1;
  const compare = (vectors: readonly FeatureVector[]): void => {
    for (const vector of vectors) {
      if (record !== undefined && !isKept(record, vector)) continue;
      const expected = stored[next];
      if (expected === undefined) return; // The gateway's later vectors have not landed yet.
      next++;
      const difference = differenceOf(expected, vector);
      if (difference === undefined) equal++;
      else problem ??= `${expected.device}, window ending ${expected.windowEndUs}: ${difference}`;
    }
  };
  for await (const block of readings) {
    lastOffset = block.offset[block.count - 1] ?? lastOffset;
    compare(engine.take(block));
    progress(doing, next / stored.length);
    if (next === stored.length) break;
  }
  compare(engine.settle());
  // What a landed message closed must have been recomputed by then.
  const missed = stored.slice(next).filter(({ throughOffset }) => throughOffset <= lastOffset);
  const [first] = missed;
  if (first !== undefined)
    problem ??= `${first.device}, window ending ${first.windowEndUs}: does not follow from the readings`;
  const different = next - equal + missed.length;
  return { ...nothing, equal, different, waiting: stored.length - equal - different, problem };
}

const FIELDS = [
  "device",
  "deviceType",
  "windowStartUs",
  "windowEndUs",
  "revision",
  "throughOffset",
  "closedAtUs",
  "closedBy",
  "readingCount",
  "withheld",
] as const;

/** The first field or value that is not the same to the bit. */
function differenceOf(stored: StoredVector, recomputed: FeatureVector): string | undefined {
  for (const field of FIELDS)
    if (stored[field] !== recomputed[field])
      return `${field} is ${stored[field]}, recomputed ${recomputed[field]}`;
  for (const [i, value] of recomputed.values.entries())
    if (!Object.is(stored.values[i], value)) return `value ${i} is ${stored.values[i]}, recomputed ${value}`;
  const [told, found] = [stored.violations.join("; "), recomputed.violations.join("; ")];
  return told === found ? undefined : `violations are "${told}", recomputed "${found}"`;
}

/** The rows as a table for a person. Pure. */
export function renderParity(rows: readonly ParityRow[]): string {
  if (rows.length === 0) return "There are no feature vectors in the lake yet.";
  return renderTable(
    ["gateway", "epoch", "view", "vectors", "equal", "different", "waiting", ""],
    rows.map((row) => [
      row.gateway,
      row.epoch.slice(0, 8),
      row.view,
      row.vectors,
      row.equal,
      row.different,
      row.waiting,
      row.problem ?? "",
    ]),
  );
}
