import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import type { AddFile } from "./delta-action.ts";
import { fileColumns, PARTITION_COLUMN } from "./delta-schema.ts";
import { type Fingerprint, fingerprintOf, isSame, total } from "./fingerprint.ts";
import { sortedStats } from "./sorted-stats.ts";
import { sortColumns } from "./sort-order.ts";
import { quoteName, quoteText, tableRows } from "./views.ts";

/**
 * Rows of a row group: an hour of one device reads a few of a file's many. Measured on three million plant-like
 * readings: 3.5 bytes each, and 4.9 with half as many rows, because each group has its own dictionaries.
 */
const ROW_GROUP_ROWS = 122_880;

/**
 * Columns with more values in a row group have no dictionary: times and offsets are then written by their differences.
 * Measured on ten million plant-like readings: 5.8 bytes each, and 6.8 with twice as many values.
 */
const DICTIONARY_VALUES_MAX = 16_384;

export interface SortJob {
  readonly stream: Stream;
  readonly day: string;
  /** Files in the cache. */
  readonly paths: readonly string[];
  /** How many files the rows become. */
  readonly outputs: number;
  readonly nowMs: number;
  readonly tags: Readonly<Record<string, string>>;
  /** Where files may be written for a while. */
  readonly workDir: string;
  /** A part of the rows instead of all, as a condition on them. */
  readonly qualify?: string;
}

/** A file that was written and read back: its bytes, and what the log is to say of it. */
export interface SortedFile {
  readonly add: AddFile;
  readonly body: Uint8Array;
  readonly fingerprint: Fingerprint;
}

/**
 * Writes the rows of files of one day as fewer, sorted files: zstd, times by their differences, small row groups.
 *
 * What it yields was read back, and its rows are counted and hashed. Memory is the engine's limit; what does not fit is spilled.
 */
export async function* writeSorted(connection: DuckDBConnection, job: SortJob): AsyncGenerator<SortedFile> {
  const rows = `(${tableRows(job.stream, job.paths)})`;
  const order = sortColumns(job.stream);
  const columns = fileColumns(job.stream).map(({ name }) => quoteName(name));
  for (const [i, condition] of (await splitRows(connection, rows, job)).entries()) {
    const file = join(job.workDir, `sorted-${i}.parquet`);
    const qualify = job.qualify === undefined ? "" : `QUALIFY ${job.qualify}`;
    await connection.run(
      `COPY (SELECT ${columns.join(", ")} FROM ${rows} AS r WHERE ${condition} ${qualify} ORDER BY ${order.map(quoteName).join(", ")})
       TO ${quoteText(file)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2, ROW_GROUP_SIZE ${ROW_GROUP_ROWS},
         DICTIONARY_SIZE_LIMIT ${DICTIONARY_VALUES_MAX}, KV_METADATA {sluice_job: ${quoteText(newUuid())}})`,
    );
    const written = `read_parquet(${quoteText(file)}, hive_partitioning = false)`;
    const fingerprint = await fingerprintOf(connection, job.stream, written);
    if (fingerprint.rows === 0n) continue;
    const body = await readFile(file);
    const stats = await sortedStats(connection, job.stream, written);
    await rm(file);
    // A job's id is in its files, so that their names are new: an orphan of the same name may be about to be deleted.
    const path = `${PARTITION_COLUMN}=${job.day}/part-${sha256Hex(body)}.parquet`;
    const add = {
      path,
      partitionValues: { [PARTITION_COLUMN]: job.day },
      size: body.byteLength,
      modificationTime: job.nowMs,
      dataChange: false,
      stats: JSON.stringify(stats),
      tags: job.tags,
    };
    yield { add, body, fingerprint };
  }
}

/** Checks that files have the very rows of others. Throws PipelineError "lake.rewrite_differs"; nothing is lost. */
export function checkSameRows(stream: Stream, before: Fingerprint, after: readonly Fingerprint[]): void {
  const sum = total(after);
  if (isSame(before, sum)) return;
  throw new PipelineError(
    "lake.rewrite_differs",
    `table ${stream}: ${before.rows} rows were to be arranged anew and came out as ${sum.rows} rows or other values; nothing was committed`,
    {
      hint: "Look at the disk of tables.cacheDir and the machine's memory; delete the cache's folder and try again.",
    },
  );
}

/** Conditions that cut the rows into ranges of the sort order, about equally many each. */
async function splitRows(
  connection: DuckDBConnection,
  rows: string,
  { stream, outputs }: SortJob,
): Promise<readonly string[]> {
  if (outputs === 1) return ["true"];
  const [first = "", second = "", third = ""] = sortColumns(stream);
  const keys = [
    `r.${quoteName(first)}`,
    `r.${quoteName(second)}`,
    `date_trunc('hour', r.${quoteName(third)})`,
  ];
  const reader = await connection.runAndReadAll(
    `WITH counted AS (SELECT ${keys.map((key, i) => `${key} AS k${i}`).join(", ")}, count(*) AS rows FROM ${rows} AS r GROUP BY ALL),
       summed AS (SELECT *, sum(rows) OVER (ORDER BY k0, k1, k2) AS through, sum(rows) OVER () AS total FROM counted),
       placed AS (SELECT *, least(${outputs - 1}, floor((through - rows / 2) * ${outputs} / total)) AS place FROM summed)
     SELECT DISTINCT ON (place) k0, k1, epoch_us(k2) FROM placed ORDER BY place, k0 DESC, k1 DESC, k2 DESC`,
  );
  const ends = reader
    .getRows()
    .slice(0, -1)
    .map((row): string => {
      const [a, b, c] = [
        quoteText(String(row[0])),
        quoteText(String(row[1])),
        `make_timestamptz(${String(row[2])})`,
      ];
      return `(${keys[0]} < ${a} OR (${keys[0]} = ${a} AND (${keys[1]} < ${b} OR (${keys[1]} = ${b} AND ${keys[2]} <= ${c}))))`;
    });
  return [...ends, "true"].map((end, i) => (i === 0 ? end : `${end} AND NOT ${ends[i - 1]}`));
}
