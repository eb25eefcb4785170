import type { DuckDBConnection } from "@duckdb/node-api";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { fileColumns } from "./delta-schema.ts";
import { quoteName, SQL_TYPE } from "./views.ts";

/** What rows are the same by, whatever their order: how many they are, and the sum of the hashes of whole rows. */
export interface Fingerprint {
  readonly rows: bigint;
  readonly hashSum: bigint;
}

/** The fingerprint of the rows of a source, which is a table or a bracketed query with the table's columns. */
export async function fingerprintOf(
  connection: DuckDBConnection,
  stream: Stream,
  source: string,
): Promise<Fingerprint> {
  const columns = fileColumns(stream).map(({ name, type }) => `${quoteName(name)}::${SQL_TYPE[type]}`);
  const reader = await connection.runAndReadAll(
    `SELECT count(*)::VARCHAR, coalesce(sum(hash(${columns.join(", ")})), 0)::VARCHAR FROM ${source} AS r`,
  );
  const [rows = "0", hashSum = "0"] = (reader.getRows()[0] ?? []).map(String);
  return { rows: BigInt(rows), hashSum: BigInt(hashSum) };
}

export const total = (parts: readonly Fingerprint[]): Fingerprint =>
  parts.reduce((sum, { rows, hashSum }) => ({ rows: sum.rows + rows, hashSum: sum.hashSum + hashSum }), {
    rows: 0n,
    hashSum: 0n,
  });

export const isSame = (a: Fingerprint, b: Fingerprint): boolean =>
  a.rows === b.rows && a.hashSum === b.hashSum;
