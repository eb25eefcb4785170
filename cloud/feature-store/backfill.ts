import type { BackfillRecord } from "@sluice/shared/contract/backfill.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { FeatureVector, StoredVector } from "@sluice/shared/contract/vector.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { Lake } from "../lake/lake.ts";
import type { ReadingQuery } from "../lake/readings.ts";
import { quoteText } from "../lake/views.ts";
import { backfillEpoch, isKept, putRecord } from "./backfill-record.ts";
import { LandingWriter } from "./landing-writer.ts";
import type { Progress } from "./progress.ts";
import { type PublishedView, publishView } from "./views.ts";

/** Which vectors are to be computed. Microseconds since the epoch. */
export interface BackfillSpec {
  readonly view: PublishedView;
  /** Windows that begin at or after it, and end by `toUs`. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly gateway?: string;
  readonly device?: string;
}

/** The readings of one buffer that a back-fill goes through. */
export interface BackfillRun {
  readonly record: BackfillRecord;
  /** The epoch that its vectors are stored under. */
  readonly epoch: string;
  /** About so many are to be gone through: those of the view in the whole buffer. */
  readonly readingsMax: number;
}

/** What came of one run. */
export interface BackfillResult {
  readonly gateway: string;
  readonly sourceEpoch: string;
  readonly epoch: string;
  readonly sinceOffset: number;
  readonly readings: number;
  /** Vectors that the readings make; those of an earlier run of the same back-fill among them. */
  readonly vectors: number;
  /** Those that were not in the lake before. */
  readonly added: number;
}

type Tables = Pick<Lake, "sql" | "readings" | "commitLanding">;
type Store = Pick<ObjectStore, "get" | "put">;

/** The readings that a view reads; with `idleAfterMs` every reading can close a window, so none may be left out. */
export const readingsOf = (view: FeatureView): Pick<ReadingQuery, "only"> =>
  view.window.idleAfterMs === undefined
    ? {
        only: {
          deviceType: view.match.deviceType,
          metrics: Object.values(view.inputs).map(({ metric }) => metric),
        },
      }
    : {};

/** The buffers whose readings have a part in it, and from which message on, in the order of their names. */
export async function planBackfill(
  lake: Pick<Lake, "sql">,
  spec: BackfillSpec,
): Promise<readonly BackfillRun[]> {
  const { view, hash } = spec.view;
  // A window is whole only if the engine has seen what was measured from its beginning on.
  const leadUs = ("sizeMs" in view.window ? view.window.sizeMs : 0) * 1_000;
  const metrics = Object.values(view.inputs).map(({ metric }) => quoteText(metric));
  const found = await lake.sql(
    `SELECT gateway, epoch, since, readings FROM (
       SELECT gateway, epoch, min("offset") FILTER (measured_at >= make_timestamptz(${Math.round(spec.fromUs - leadUs)})) AS since,
         min(measured_at) AS first, count(*) AS readings
       FROM readings WHERE device_type = ${quoteText(view.match.deviceType)} AND metric IN (${metrics.join(", ")})
         ${spec.gateway === undefined ? "" : `AND gateway = ${quoteText(spec.gateway)}`}
       GROUP BY gateway, epoch)
     WHERE since IS NOT NULL AND first < make_timestamptz(${Math.round(spec.toUs)}) ORDER BY gateway, epoch`,
  );
  return found.rows.map(([gateway, sourceEpoch, since, readings]) => {
    const record: BackfillRecord = {
      formatVersion: 1,
      viewHash: hash,
      gateway: String(gateway),
      sourceEpoch: String(sourceEpoch),
      sinceOffset: Number(since),
      fromUs: spec.fromUs,
      toUs: spec.toUs,
      ...(spec.device === undefined ? {} : { device: spec.device }),
    };
    return { record, epoch: backfillEpoch(record), readingsMax: Number(readings) };
  });
}

/** Vectors, and the readings that were gone through until then. */
export interface BackfillBatch {
  readonly vectors: readonly StoredVector[];
  readonly readings: number;
}

/**
 * The vectors of one run, numbered in the order in which the engine makes them.
 *
 * The same readings always make the same vectors with the same numbers, and readings that land later only add vectors
 * behind them. Each has the time of arrival of the reading that closed its window: when it could first be known.
 */
export async function* backfillVectors(
  lake: Pick<Lake, "readings">,
  run: BackfillRun,
  { view, progress }: { readonly view: PublishedView; readonly progress: Progress },
): AsyncGenerator<BackfillBatch> {
  const { record } = run;
  const engine = new WindowEngine(view.view, view.hash, record.sinceOffset);
  const query = {
    gateway: record.gateway,
    epoch: record.sourceEpoch,
    fromOffset: record.sinceOffset,
    ...readingsOf(view.view),
  };
  const doing = `${view.view.name} on ${record.gateway}`;
  let [seq, readings] = [0, 0];
  progress(`${doing}: sorting readings`);
  const numbered = (made: readonly FeatureVector[]): StoredVector[] =>
    made.filter((vector) => isKept(record, vector)).map((vector) => ({ ...vector, seq: seq++ }));
  for await (const block of lake.readings(query)) {
    const vectors = numbered(engine.take(block));
    readings += block.count;
    yield { vectors, readings };
    progress(doing, readings / Math.max(readings, run.readingsMax));
  }
  const vectors = numbered(engine.settle());
  if (vectors.length > 0) yield { vectors, readings };
}

/**
 * Computes the vectors of a view from the readings in the lake, into the table of the features.
 *
 * Exactly once: what is computed of a buffer's readings is a stream of its own (an epoch that follows from what is
 * computed), landed in ranges and committed as a gateway's is. A run that is repeated, or was cut off, adds what is
 * missing and nothing else.
 */
export async function backfill(
  { store, lake }: { readonly store: Store; readonly lake: Tables },
  spec: BackfillSpec,
  progress: Progress,
): Promise<readonly BackfillResult[]> {
  await publishView(store, spec.view.view);
  // What a run before has landed must be counted.
  await lake.commitLanding();
  const results: BackfillResult[] = [];
  for (const run of await planBackfill(lake, spec)) {
    await putRecord(store, run.record);
    const { gateway } = run.record;
    const counted = await lake.sql(
      `SELECT coalesce(max(seq), -1) FROM features WHERE gateway = ${quoteText(gateway)} AND epoch = ${quoteText(run.epoch)}`,
    );
    const writer = new LandingWriter(store, { gateway, epoch: run.epoch }, Number(counted.rows[0]?.[0]) + 1);
    let [vectors, readings] = [0, 0];
    for await (const batch of backfillVectors(lake, run, { view: spec.view, progress })) {
      vectors += batch.vectors.length;
      readings = batch.readings;
      for (const vector of batch.vectors) await writer.add(vector);
    }
    await writer.finish();
    results.push({
      gateway,
      sourceEpoch: run.record.sourceEpoch,
      epoch: run.epoch,
      sinceOffset: run.record.sinceOffset,
      readings,
      vectors,
      added: writer.landed,
    });
  }
  progress("committing");
  await lake.commitLanding();
  return results;
}
