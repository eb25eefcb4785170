import { DOUBLE, DuckDBDataChunk, INTEGER, UTINYINT, type DuckDBConnection } from "@duckdb/node-api";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import {
  CHUNK_ROWS,
  chunksOf,
  copyNumbers,
  doublesOf,
  integersOf,
  numbersOf,
  writeNumbers,
} from "./chunks.ts";
import { keyRows, loadLabels, loadRowsFile, ROW, type RowFormat } from "./request-rows.ts";
import { isoBound } from "./vectors.ts";
import { quoteName, quoteText } from "./views.ts";
import { type OutFile, writeQuery } from "./write-rows.ts";

/** Request rows by column, in order of (entity, knownUs). */
export interface RequestColumns {
  readonly entity: Int32Array;
  readonly eventUs: Float64Array;
  readonly knownUs: Float64Array;
}

/** A gateway's buffer that vectors of a view come from. */
export interface VectorSourceInfo {
  readonly gateway: string;
  readonly epoch: string;
  readonly firstKnownUs: number;
  readonly vectors: number;
}

/** Vectors by column, in order of (entity, knownUs); `source` is the place in the list of sources. */
export interface VectorKeyChunk {
  readonly count: number;
  readonly entity: Int32Array;
  readonly knownUs: Float64Array;
  readonly windowEndUs: Float64Array;
  readonly source: Int32Array;
  readonly revision: Int32Array;
  readonly seq: Float64Array;
}

/** Which vector answers each request, in the order of the requests; `status` is 0 for none, 1 too old, 2 found. */
export interface PickColumns {
  readonly status: Uint8Array;
  readonly source: Int32Array;
  readonly seq: Float64Array;
}

export interface JoinedView {
  readonly hash: string;
  readonly view: FeatureView;
  /** What its columns begin with. */
  readonly prefix: string;
}

/** How many requests got which status, by its name. */
export type StatusCounts = Readonly<Record<string, number>>;

/** Where files to be read and written by the engine are. */
export interface JoinPlace {
  readonly connection: DuckDBConnection;
  readonly workDir: string;
}

/**
 * The tables of one point-in-time join in the query engine: request rows, keys of vectors in order, what was picked,
 * and the rows that come out. Beyond its memory the engine spills to the cache's folder.
 */
export class JoinSession {
  readonly #connection: DuckDBConnection;
  readonly #workDir: string;
  /** Row numbers of the requests in their order. */
  #rows = new Int32Array(0);
  #latestEventUs = -Infinity;
  #latestKnownUs = -Infinity;
  readonly #views: JoinedView[] = [];

  constructor({ connection, workDir }: JoinPlace) {
    this.#connection = connection;
    this.#workDir = workDir;
  }

  /** Loads the request rows. Throws PipelineError "config.rows". */
  async load(
    rows: { readonly path: string; readonly format: RowFormat } | "labels",
    knownAtUs: number | undefined,
  ): Promise<number> {
    if (rows === "labels") await loadLabels(this.#connection);
    else await loadRowsFile(this.#connection, { ...rows, workDir: this.#workDir });
    return keyRows(this.#connection, knownAtUs);
  }

  async requests(): Promise<RequestColumns> {
    const [count = 0, event = 0, known = 0] = await numbersOf(
      this.#connection,
      "SELECT count(*), max(event_us), max(known_us) FROM request_keys",
    );
    this.#latestEventUs = event;
    this.#latestKnownUs = known;
    this.#rows = new Int32Array(count);
    const columns = {
      entity: new Int32Array(count),
      eventUs: new Float64Array(count),
      knownUs: new Float64Array(count),
    };
    const result = await this.#connection.stream(
      `SELECT "row", entity, event_us::DOUBLE, known_us::DOUBLE FROM request_keys ORDER BY entity, known_us`,
    );
    const targets = [this.#rows, columns.entity, columns.eventUs, columns.knownUs];
    for await (const { at, chunk } of chunksOf(result))
      targets.forEach((target, column) => copyNumbers(chunk, column, { target, at }));
    return columns;
  }

  /** The buffers that have vectors of a view, with how many. */
  async sources(viewHash: string): Promise<readonly VectorSourceInfo[]> {
    const reader = await this.#connection.runAndReadAll(
      `SELECT gateway, epoch, epoch_us(min(closed_at))::DOUBLE, count(*)::DOUBLE FROM features
       WHERE view_hash = ${quoteText(viewHash)} GROUP BY gateway, epoch`,
    );
    return reader.getRows().map(([gateway, epoch, firstKnownUs, vectors]) => ({
      gateway: String(gateway),
      epoch: String(epoch),
      firstKnownUs: Number(firstKnownUs),
      vectors: Number(vectors),
    }));
  }

  /** The keys of the vectors that a request can ask for. */
  async *vectorKeys(viewHash: string, sources: readonly VectorSourceInfo[]): AsyncGenerator<VectorKeyChunk> {
    await this.#putSources(sources);
    const result = await this.#connection.stream(
      `SELECT e.id, epoch_us(f.closed_at)::DOUBLE, epoch_us(f.window_end)::DOUBLE, s.place, f.revision, f.seq::DOUBLE
       FROM features AS f JOIN entities AS e ON f.device = e.device AND (e.gateway IS NULL OR f.gateway = e.gateway)
         JOIN sources AS s ON f.gateway = s.gateway AND f.epoch = s.epoch
       WHERE f.view_hash = ${quoteText(viewHash)}
         AND f.window_end <= ${isoBound(this.#latestEventUs)} AND f.closed_at <= ${isoBound(this.#latestKnownUs)}
       ORDER BY e.id, f.closed_at, f.window_end`,
    );
    for await (const { chunk, rows } of chunksOf(result))
      yield {
        count: rows,
        entity: integersOf(chunk, 0),
        knownUs: doublesOf(chunk, 1),
        windowEndUs: doublesOf(chunk, 2),
        source: integersOf(chunk, 3),
        revision: integersOf(chunk, 4),
        seq: doublesOf(chunk, 5),
      };
  }

  /** Keeps what was picked for a view, with its values. Directly after `vectorKeys` of the same view. */
  async keep(joined: JoinedView, picks: PickColumns): Promise<StatusCounts> {
    const name = `found_${this.#views.length}`;
    await this.#connection.run(
      `CREATE OR REPLACE TEMP TABLE picks ("row" INTEGER, status UTINYINT, source INTEGER, seq DOUBLE)`,
    );
    await this.#append("picks", [this.#rows, picks.status, picks.source, picks.seq]);
    await this.#connection.run(
      `CREATE TEMP TABLE ${name} AS SELECT p."row", p.status, f.window_end, f.closed_at, coalesce(f.withheld, false) AS withheld,
         CASE WHEN p.status = 2 THEN f."values" END AS "values"
       FROM features AS f JOIN sources AS s ON f.gateway = s.gateway AND f.epoch = s.epoch
         JOIN picks AS p ON p.source = s.place AND p.seq::BIGINT = f.seq
       WHERE f.view_hash = ${quoteText(joined.hash)} AND p.status > 0`,
    );
    this.#views.push(joined);
    const reader = await this.#connection.runAndReadAll(
      `SELECT ${STATUS} AS status, count(*) FROM request_keys AS r LEFT JOIN ${name} AS v ON v."row" = r."row" GROUP BY 1`,
    );
    return Object.fromEntries(reader.getRows().map(([status, count]) => [String(status), Number(count)]));
  }

  /**
   * Writes the rows with the columns of all views kept, in the order of the rows; the file appears whole or not at all.
   * Returns the columns' names. Throws PipelineError "config.rows", "config.out".
   */
  async write(out: OutFile): Promise<readonly string[]> {
    const joins = this.#views.map((_, i) => `LEFT JOIN found_${i} AS v${i} ON v${i}."row" = r.${ROW}`);
    const columns = this.#views.flatMap((joined, i) => columnsOf(joined, `v${i}`));
    const query = `SELECT r.* EXCLUDE (${ROW}), ${columns.join(", ")} FROM request_rows AS r ${joins.join(" ")} ORDER BY r.${ROW}`;
    const described = await this.#connection.runAndReadAll(`DESCRIBE ${query}`);
    const names = described.getRows().map(([name]) => String(name));
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined)
      throw new PipelineError("config.rows", `the column ${twice} would be there twice`, {
        hint: "Rename the column of the rows; those of views begin with the view's name and two underscores.",
      });
    await writeQuery({ connection: this.#connection, workDir: this.#workDir }, query, out);
    return names;
  }

  async #putSources(sources: readonly VectorSourceInfo[]): Promise<void> {
    await this.#connection.run(
      "CREATE OR REPLACE TEMP TABLE sources (place INTEGER, gateway VARCHAR, epoch VARCHAR)",
    );
    if (sources.length === 0) return;
    const rows = sources.map(({ gateway, epoch }, i) => `(${i}, ${quoteText(gateway)}, ${quoteText(epoch)})`);
    await this.#connection.run(`INSERT INTO sources VALUES ${rows.join(", ")}`);
  }

  async #append(
    table: string,
    [rows, status, source, seq]: readonly [Int32Array, Uint8Array, Int32Array, Float64Array],
  ): Promise<void> {
    const appender = await this.#connection.createAppender(table, "main", "temp");
    for (let at = 0; at < rows.length; at += CHUNK_ROWS) {
      const end = Math.min(rows.length, at + CHUNK_ROWS);
      const chunk = DuckDBDataChunk.create([INTEGER, UTINYINT, INTEGER, DOUBLE], end - at);
      writeNumbers(
        chunk,
        [rows, status, source, seq].map((column) => column.subarray(at, end)),
      );
      appender.appendDataChunk(chunk);
    }
    appender.closeSync();
  }
}

/** NULL: the vector is there and has no value at all. */
const STATUS = `CASE coalesce(v.status, 0) WHEN 0 THEN 'NOT_FOUND' WHEN 1 THEN 'OUTSIDE_MAX_AGE'
  ELSE CASE WHEN list_count(v."values") = 0 THEN 'NULL' ELSE 'PRESENT' END END`;

function columnsOf({ view, prefix }: JoinedView, alias: string): readonly string[] {
  const named = (expression: string, name: string): string =>
    `${expression} AS ${quoteName(`${prefix}__${name}`)}`;
  return [
    named(STATUS.replaceAll("v.", `${alias}.`), "status"),
    named(`${alias}.window_end`, "window_end"),
    named(`${alias}.closed_at`, "known_at"),
    named(`${alias}.withheld`, "withheld"),
    ...view.features.map(({ name }, i) => named(`${alias}."values"[${i + 1}]`, name)),
  ];
}
