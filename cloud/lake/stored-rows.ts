import { type DuckDBConnection, DuckDBListValue, type DuckDBValue } from "@duckdb/node-api";
import type { Prediction } from "@sluice/shared/contract/prediction.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import { micros } from "./vectors.ts";
import { quoteText } from "./views.ts";

/** What one gateway stored in one epoch; only one view's where its hash is given. */
export interface StoredQuery {
  readonly gateway: string;
  readonly epoch: string;
  readonly viewHash?: string;
}

/** Reads vectors as the gateway stored them, in the order of their numbers. */
export async function readStoredVectors(
  connection: DuckDBConnection,
  query: StoredQuery,
): Promise<readonly StoredVector[]> {
  const reader = await connection.runAndReadAll(
    `SELECT seq::DOUBLE, "view", view_hash, device, device_type, ${micros("window_start")}, ${micros("window_end")},
       revision, since_offset::DOUBLE, through_offset::DOUBLE, ${micros("closed_at")}, reading_count, "values",
       closed_by, violations, withheld
     FROM features WHERE ${condition(query)} ORDER BY seq`,
  );
  return reader.getRows().map((row) => ({
    seq: Number(row[0]),
    view: String(row[1]),
    viewHash: String(row[2]),
    device: String(row[3]),
    deviceType: String(row[4]),
    windowStartUs: Number(row[5]),
    windowEndUs: Number(row[6]),
    revision: Number(row[7]),
    sinceOffset: Number(row[8]),
    throughOffset: Number(row[9]),
    closedAtUs: Number(row[10]),
    readingCount: Number(row[11]),
    values: itemsOf(row[12]).map((value) => (value === null ? undefined : Number(value))),
    closedBy: row[13] === "idle" ? "idle" : "watermark",
    violations: itemsOf(row[14]).map(String),
    withheld: row[15] === true,
  }));
}

/** Reads predictions as the gateway stored them, in the order of their numbers. */
export async function readPredictions(
  connection: DuckDBConnection,
  query: StoredQuery,
): Promise<readonly Prediction[]> {
  const reader = await connection.runAndReadAll(
    `SELECT seq::DOUBLE, vector_seq::DOUBLE, device, device_type, view_hash, ${micros("window_start")},
       ${micros("window_end")}, revision, model, version, slot, score, threshold, anomalous, missing_count,
       top_features, top_shares, ${micros("predicted_at")}, unlike_training
     FROM predictions WHERE ${condition(query)} ORDER BY seq`,
  );
  return reader.getRows().map((row) => {
    const shares = itemsOf(row[16]);
    return {
      seq: Number(row[0]),
      vectorSeq: Number(row[1]),
      device: String(row[2]),
      deviceType: String(row[3]),
      viewHash: String(row[4]),
      windowStartUs: Number(row[5]),
      windowEndUs: Number(row[6]),
      revision: Number(row[7]),
      model: String(row[8]),
      version: Number(row[9]),
      slot: row[10] === "shadow" ? "shadow" : "champion",
      score: Number(row[11]),
      threshold: Number(row[12]),
      anomalous: row[13] === true,
      missingCount: Number(row[14]),
      top: itemsOf(row[15]).map((feature, i) => ({ feature: String(feature), share: Number(shares[i]) })),
      predictedAtUs: Number(row[17]),
      unlikeTraining: itemsOf(row[18]).map(String),
    };
  });
}

const condition = ({ gateway, epoch, viewHash }: StoredQuery): string =>
  [
    `gateway = ${quoteText(gateway)} AND epoch = ${quoteText(epoch)}`,
    ...(viewHash === undefined ? [] : [`view_hash = ${quoteText(viewHash)}`]),
  ].join(" AND ");

const itemsOf = (value: DuckDBValue | undefined): readonly DuckDBValue[] =>
  value instanceof DuckDBListValue ? value.items : [];
