import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { Column, ColumnType } from "@sluice/shared/contract/table.ts";
import { fileColumns, PARTITION_COLUMN } from "./delta-schema.ts";

export const SQL_TYPE: Readonly<Record<ColumnType, string>> = {
  string: "VARCHAR",
  integer: "INTEGER",
  long: "BIGINT",
  double: "DOUBLE",
  boolean: "BOOLEAN",
  binary: "BLOB",
  timestamp: "TIMESTAMP WITH TIME ZONE",
  "array<double>": "DOUBLE[]",
  "array<string>": "VARCHAR[]",
};

/** The view that has one row per feature and vector. */
export const FEATURE_VALUES = "feature_values";

/** The view of the readings with their times corrected by the steps of their gateway's clock. */
export const READINGS_CORRECTED = "readings_corrected";

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const typed = ({ name, type }: Column): readonly [name: string, type: string] => [
  quoteName(name),
  SQL_TYPE[type],
];

const columnsOf = (stream: Stream): readonly (readonly [name: string, type: string])[] => [
  ...fileColumns(stream).map(typed),
  [quoteName(PARTITION_COLUMN), "DATE"],
];

/** The columns of a table with their types and no row. */
const emptySelect = (stream: Stream, condition: string): string =>
  `SELECT ${columnsOf(stream)
    .map(([name, type]) => `NULL::${type} AS ${name}`)
    .join(", ")} WHERE ${condition}`;

/**
 * A table as a view over its files: all its columns with their types, also where there is no file yet or a column
 * came later than some files (it reads as NULL there). The day of a file is in its path (`date=2026-11-21/`).
 */
export const tableView = (stream: Stream, paths: readonly string[]): string =>
  createTemp(stream, tableRows(stream, paths));

/** The rows of files of a table, as `tableView` has them. */
export function tableRows(stream: Stream, paths: readonly string[]): string {
  const empty = emptySelect(stream, "false");
  if (paths.length === 0) return empty;
  const columns = columnsOf(stream).map(([name, type]) => `CAST(${name} AS ${type}) AS ${name}`);
  const files = `read_parquet([${paths.map(quoteText).join(", ")}], union_by_name = true, hive_partitioning = true, hive_types = {${quoteName(PARTITION_COLUMN)}: DATE})`;
  return `SELECT ${columns.join(", ")} FROM (${empty} UNION ALL BY NAME SELECT * FROM ${files})`;
}

/** A table that no question has named yet: its columns can be described, its rows cannot be read. */
export function unloadedView(stream: Stream): string {
  const problem = `write the name ${stream} in the query, without a schema: a table is loaded when its name is seen there`;
  return create(stream, emptySelect(stream, `error(${quoteText(problem)}) IS NULL AND random() < 2`));
}

/**
 * The features by name: one row per vector and feature. A feature of a view whose definition is not in the lake is
 * named by its place: `#1`, `#2`, …
 */
function featureValues(views: ReadonlyMap<string, FeatureView>): string {
  const rows = [...views].flatMap(([hash, view]) =>
    view.features.map(({ name }, i) => `(${quoteText(hash)}, ${i + 1}, ${quoteText(name)})`),
  );
  const names =
    rows.length === 0
      ? "SELECT NULL::VARCHAR AS view_hash, NULL::BIGINT AS position, NULL::VARCHAR AS feature WHERE false"
      : `SELECT * FROM (VALUES ${rows.join(", ")}) AS names(view_hash, position, feature)`;
  return `SELECT gateway, epoch, device, "view", vectors.view_hash, window_start, window_end, revision,
       coalesce(names.feature, '#' || vectors.position) AS feature, "value"
     FROM (SELECT *, unnest("values") AS "value", generate_subscripts("values", 1) AS position FROM features) AS vectors
     LEFT JOIN (${names}) AS names ON names.view_hash = vectors.view_hash AND names.position = vectors.position`;
}

/**
 * The readings as they would have been stamped had the gateway's clock been right: `received_at`, and `measured_at` of
 * what was stamped at arrival, moved by every step of the clock that came after them in the same boot; `clock_step_us`
 * says by how much. A device's own time is as it was sent. The steps are the events `clock.stepped`, whose facts have
 * `stepUs` and whose offsets are the messages before it. `date` stays the day of the time as it was stored.
 */
function readingsCorrected(): string {
  // Each step counts from its first message to its last: its sum over the offsets changes only at these.
  const corrections = `
    SELECT gateway, epoch, from_offset, sum(sum(step_us)) OVER (PARTITION BY gateway, epoch ORDER BY from_offset)::BIGINT AS step_us
    FROM (
      SELECT gateway, epoch, unnest([from_offset, through_offset + 1]) AS from_offset, unnest([step_us, -step_us]) AS step_us
      FROM (
        SELECT gateway, epoch, from_offset, through_offset, json_extract(facts, '$.stepUs')::BIGINT AS step_us
        FROM events WHERE kind = 'clock.stepped' AND from_offset >= 0
      )
    ) GROUP BY gateway, epoch, from_offset`;
  const moved = (column: string): string =>
    `make_timestamptz(epoch_us(readings.${column}) + coalesce(corrections.step_us, 0))`;
  return `SELECT readings.* REPLACE (
       ${moved("received_at")} AS received_at,
       CASE WHEN readings.clock = 'device' THEN readings.measured_at ELSE ${moved("measured_at")} END AS measured_at
     ), coalesce(corrections.step_us, 0) AS clock_step_us
     FROM readings ASOF LEFT JOIN (${corrections}) AS corrections
       ON readings.gateway = corrections.gateway AND readings.epoch = corrections.epoch
       AND readings."offset" >= corrections.from_offset`;
}

/** A view that is made of tables. */
export interface DerivedView {
  readonly name: string;
  readonly of: readonly Stream[];
  /** Its rows; `views` are the definitions by hash that name the features. */
  readonly select: (views: ReadonlyMap<string, FeatureView>) => string;
}

export const derivedView = ({ name, select }: DerivedView, views: ReadonlyMap<string, FeatureView>): string =>
  createTemp(name, select(views));

export const unloadedDerivedView = ({ name, select }: DerivedView): string => create(name, select(new Map()));

export const DERIVED_VIEWS: readonly DerivedView[] = [
  { name: FEATURE_VALUES, of: ["features"], select: featureValues },
  { name: READINGS_CORRECTED, of: ["readings", "events"], select: readingsCorrected },
];

const create = (name: string, select: string): string =>
  `CREATE OR REPLACE VIEW ${quoteName(name)} AS ${select}`;

/** A view that only its connection has; it hides the one that all have. */
const createTemp = (name: string, select: string): string =>
  `CREATE OR REPLACE TEMP VIEW ${quoteName(name)} AS ${select}`;
