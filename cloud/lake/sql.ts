import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBPreparedStatement,
  type DuckDBResult,
  StatementType,
} from "@duckdb/node-api";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { plainValue } from "./sql-value.ts";
import { type Watch, watched } from "./sql-watch.ts";
import { quoteText } from "./views.ts";

export interface SqlColumn {
  readonly name: string;
  readonly type: string;
}

/** The answer to a query; the values are as `plainValue` makes them. */
export interface SqlResult {
  readonly columns: readonly SqlColumn[];
  readonly rows: readonly (readonly unknown[])[];
}

/** Threads of the engine: it shares the machine with training, which has its own. */
const THREADS = 2;

/**
 * The SQL engine: DuckDB in memory, which can read the files below the folders it is given and nothing else of the machine.
 *
 * Nothing is loaded from a network, and the settings are locked before the first question.
 */
export class SqlEngine {
  readonly #instance: DuckDBInstance;

  /** `filesDir` is what may be read; `spillDir` takes what does not fit into memory, `workDir` files to be joined. */
  static async open(options: {
    readonly filesDir: string;
    readonly spillDir: string;
    readonly workDir: string;
    readonly memoryLimitMb: number;
  }): Promise<SqlEngine> {
    const instance = await DuckDBInstance.create(":memory:", {
      threads: String(THREADS),
      memory_limit: `${options.memoryLimitMb}MiB`,
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
    });
    const connection = await instance.connect();
    // In this order: access is closed before the settings are, and the folders cannot be set after it.
    for (const statement of [
      "SET GLOBAL TimeZone = 'UTC'",
      `SET temp_directory = ${quoteText(options.spillDir)}`,
      `SET allowed_directories = [${quoteText(`${options.filesDir}/`)}, ${quoteText(`${options.workDir}/`)}]`,
      "SET enable_external_access = false",
      // Copies in the cache never change.
      "SET GLOBAL parquet_metadata_cache = true",
      "SET lock_configuration = true",
    ])
      await connection.run(statement);
    connection.closeSync();
    return new SqlEngine(instance);
  }

  private constructor(instance: DuckDBInstance) {
    this.#instance = instance;
  }

  connect(): Promise<DuckDBConnection> {
    return this.#instance.connect();
  }

  close(): void {
    this.#instance.closeSync();
  }
}

/**
 * Answers one statement of a user, which may only read.
 *
 * Throws PipelineError "sql.invalid" with the engine's message, "sql.too_large" beyond `rowsMax` rows, and the reason of
 * the watch's signal.
 */
export const askReadOnly = (
  connection: DuckDBConnection,
  query: string,
  { rowsMax, ...watch }: Watch & { readonly rowsMax: number },
): Promise<SqlResult> => runReadOnly(connection, query, watch, (result) => collect(result, rowsMax));

/** Runs one statement of a user, which may only read, and takes its result while it comes. */
export async function runReadOnly<T>(
  connection: DuckDBConnection,
  query: string,
  watch: Watch,
  take: (result: DuckDBResult) => Promise<T>,
): Promise<T> {
  let statement: DuckDBPreparedStatement | undefined;
  try {
    return await watched(connection, watch, async () => {
      const prepared = await prepareReadOnly(connection, query);
      statement = prepared;
      return take(await prepared.stream());
    });
  } catch (error) {
    if (error instanceof PipelineError || !(error instanceof Error)) throw error;
    throw new PipelineError("sql.invalid", error.message, { cause: error });
  } finally {
    statement?.destroySync();
  }
}

/** Throws PipelineError "sql.invalid" for what is not one statement that only reads. */
export async function requireReadOnly(connection: DuckDBConnection, query: string): Promise<void> {
  try {
    (await prepareReadOnly(connection, query)).destroySync();
  } catch (error) {
    if (error instanceof PipelineError || !(error instanceof Error)) throw error;
    throw new PipelineError("sql.invalid", error.message, { cause: error });
  }
}

async function prepareReadOnly(
  connection: DuckDBConnection,
  query: string,
): Promise<DuckDBPreparedStatement> {
  if (query.trim() === "") throw refused("the query is empty", "Write one SELECT.");
  const statements = await connection.extractStatements(query).catch((error: unknown) => {
    // What the engine's binding says of a text without any statement, such as a mere comment.
    if (error instanceof Error && error.message === "Error in native callback")
      throw refused("the query has no statement", "Write one SELECT.");
    throw error;
  });
  if (statements.count !== 1)
    throw refused(
      `the query is ${statements.count} statements`,
      "Ask one at a time; write a pivot inside: FROM (PIVOT …).",
    );
  const statement = await statements.prepare(0);
  const refusal = writes(statement, query);
  if (refusal === undefined) return statement;
  statement.destroySync();
  throw refusal;
}

/** Why a statement is refused; undefined where it only reads. */
function writes(statement: DuckDBPreparedStatement, query: string): PipelineError | undefined {
  const type = statement.statementType;
  if (statement.parameterCount > 0)
    return refused("the query has parameters", "Write the values into the query.");
  if (type === StatementType.SELECT) return undefined;
  // EXPLAIN ANALYZE runs its statement, whatever that is.
  if (type === StatementType.EXPLAIN && !/\banalyze\b/i.test(query)) return undefined;
  const name = StatementType[type] ?? "this";
  return refused(
    `${name} is not allowed: a query may only read`,
    "Use SELECT, DESCRIBE, SUMMARIZE or EXPLAIN.",
  );
}

const refused = (message: string, hint: string): PipelineError =>
  new PipelineError("sql.invalid", message, { hint });

async function collect(result: DuckDBResult, rowsMax: number): Promise<SqlResult> {
  const types = result.columnTypes();
  const columns = result
    .deduplicatedColumnNames()
    .map((name, i): SqlColumn => ({ name, type: String(types[i]) }));
  const rows: unknown[][] = [];
  for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
    if (chunk.rowCount === 0) break;
    if (rows.length + chunk.rowCount > rowsMax)
      throw new PipelineError("sql.too_large", `the answer has more than ${rowsMax} rows`, {
        hint: "Aggregate, add LIMIT, or raise tables.resultRowsMax.",
      });
    for (const row of chunk.getRows()) rows.push(row.map(plainValue));
  }
  return { columns, rows };
}
