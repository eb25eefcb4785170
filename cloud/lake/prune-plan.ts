import type { DuckDBConnection } from "@duckdb/node-api";
import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import type { ColumnType } from "@sluice/shared/contract/table.ts";
import { fileColumns, PARTITION_COLUMN } from "./delta-schema.ts";
import { termTypes } from "./prune-files.ts";
import { parseFilters, type Term } from "./prune-terms.ts";
import { type DerivedView, derivedView, quoteName, SQL_TYPE } from "./views.ts";

/** The schema of the tables that queries are planned on. */
const SHAPES = "sluice_shapes";

/** The least and the largest value of each type: whatever a table has lies between them. */
const EXTREMES: Readonly<Partial<Record<ColumnType, readonly [least: string, largest: string]>>> = {
  string: ["''", "repeat(chr(1114111), 128)"],
  integer: ["-2147483648", "2147483647"],
  long: ["-9223372036854775808", "9223372036854775807"],
  double: ["'-infinity'", "'nan'"],
  boolean: ["false", "true"],
  timestamp: ["'-infinity'", "'infinity'"],
};

/** What stands in a plan in the place of scans that the planner has worked out from the shapes. */
const WORKED_OUT: readonly string[] = ["EMPTY_RESULT", "COLUMN_DATA_SCAN"];

/**
 * Makes the tables that queries are planned on before it is known which files they need: the columns of the real
 * ones, and rows with nothing, with the least and with the largest values, from which the planner learns nothing.
 */
export function shapeStatements(): readonly string[] {
  const rows = (stream: Stream): string =>
    [0, 1, undefined]
      .map((extreme) => {
        const cells = fileColumns(stream).map(({ name, type }) => {
          const value = extreme === undefined ? undefined : EXTREMES[type]?.[extreme];
          return `CAST(${value ?? "NULL"} AS ${SQL_TYPE[type]}) AS ${quoteName(name)}`;
        });
        const day = extreme === undefined ? "NULL" : extreme === 0 ? "'-infinity'" : "'infinity'";
        return `SELECT ${[...cells, `CAST(${day} AS DATE) AS ${quoteName(PARTITION_COLUMN)}`].join(", ")}`;
      })
      .join(" UNION ALL ");
  return [
    `CREATE SCHEMA ${SHAPES}`,
    ...STREAMS.map((stream) => `CREATE TABLE ${SHAPES}.${quoteName(stream)} AS ${rows(stream)}`),
  ];
}

/** A query, the tables that it names, and the views on tables that it names. */
export interface Question {
  readonly query: string;
  readonly streams: readonly Stream[];
  readonly derived: readonly DerivedView[];
}

/**
 * Asks the engine's own planner which conditions the rows of each table must meet to matter to a query: one list per
 * scan of the table, all of whose conditions hold for its rows. Undefined where a table must be read whole.
 *
 * It plans the query on tables without the rows, on the connection and in the transaction in which the query is run
 * then, so that "now" is the same. What it makes there is dropped again.
 */
export async function planScans(
  connection: DuckDBConnection,
  { query, streams, derived }: Question,
): Promise<ReadonlyMap<Stream, readonly (readonly Term[])[]> | undefined> {
  for (const stream of streams)
    await connection.run(`CREATE TEMP TABLE ${quoteName(stream)} AS FROM ${SHAPES}.${quoteName(stream)}`);
  for (const view of derived) await connection.run(derivedView(view, new Map()));
  try {
    return await explain(connection, query, streams);
  } finally {
    for (const { name } of derived) await connection.run(`DROP VIEW temp.${quoteName(name)}`);
    for (const stream of streams) await connection.run(`DROP TABLE temp.${quoteName(stream)}`);
  }
}

async function explain(
  connection: DuckDBConnection,
  query: string,
  streams: readonly Stream[],
): Promise<ReadonlyMap<Stream, readonly (readonly Term[])[]> | undefined> {
  const statements = await connection.extractStatements(query);
  if (statements.count !== 1) return undefined;
  const reader = await connection.runAndReadAll(`EXPLAIN (FORMAT json) ${query}`);
  const scans = new Map<Stream, (readonly Term[])[]>(streams.map((stream) => [stream, []]));
  for (const [, text] of reader.getRows())
    for (const node of nodesOf(JSON.parse(String(text)))) {
      if (WORKED_OUT.includes(node.name)) return undefined;
      const stream = streams.find((known) => node.table === `"temp".main.${known}`);
      if (stream !== undefined) scans.get(stream)?.push(parseFilters(node.filters, termTypes(stream)));
    }
  return scans;
}

interface PlanNode {
  readonly name: string;
  readonly table: string | undefined;
  /** One filter a line. */
  readonly filters: string;
}

function* nodesOf(plan: unknown): Generator<PlanNode> {
  if (Array.isArray(plan)) for (const node of plan) yield* nodesOf(node);
  if (typeof plan !== "object" || plan === null || !("name" in plan)) return;
  const info: unknown = Reflect.get(plan, "extra_info");
  const stated = (key: string): string =>
    // The engine cuts texts of several lines into lists.
    typeof info === "object" && info !== null
      ? [Reflect.get(info, key) ?? ""].flat().map(String).join("\n")
      : "";
  yield { name: String(plan.name).trim(), table: stated("Table"), filters: stated("Filters") };
  yield* nodesOf(Reflect.get(plan, "children"));
}
