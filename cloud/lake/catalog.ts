import type { DuckDBConnection } from "@duckdb/node-api";
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { type FeatureView, featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { tablePrefix, viewKey } from "@sluice/shared/contract/lake-key.ts";
import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { CacheFile, FileCache, Lease } from "./cache.ts";
import type { AddFile } from "./delta-action.ts";
import type { AsOf } from "./delta-history.ts";
import type { DeltaLog } from "./delta-log.ts";
import { PARTITION_COLUMN } from "./delta-schema.ts";
import type { Snapshot } from "./delta-snapshot.ts";
import { parseStats } from "./delta-stats.ts";
import { pruneFiles } from "./prune-files.ts";
import { planScans, shapeStatements } from "./prune-plan.ts";
import type { Term } from "./prune-terms.ts";
import type { SqlEngine } from "./sql.ts";
import {
  DERIVED_VIEWS,
  type DerivedView,
  derivedView,
  FEATURE_VALUES,
  tableRows,
  tableView,
  unloadedDerivedView,
  unloadedView,
} from "./views.ts";

/** A connection on which the tables that were asked for can be read until it is closed. */
export interface Session {
  readonly connection: DuckDBConnection;
  close(): void;
}

interface CatalogOptions {
  readonly store: ObjectStore;
  readonly logs: Readonly<Record<Stream, DeltaLog>>;
  readonly cache: FileCache;
  readonly engine: SqlEngine;
}

/** What a session is for. */
export interface SessionOptions {
  /** The one query that is run: only the files are loaded that may have rows for it. Without it, all. */
  readonly query?: string | undefined;
  /** The tables as they were, instead of as they are. */
  readonly asOf?: AsOf | undefined;
  /** Told what is being fetched. */
  readonly tell?: ((doing: string, share?: number) => void) | undefined;
  /** Ends the fetching; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** View hashes of files that are remembered; when there are more they are looked up anew. */
const REMEMBERED_FILES_MAX = 100_000;

/** The tables as the engine sees them: views over cached files, made for each session. */
export class Catalog {
  readonly #options: CatalogOptions;
  readonly #views = new Map<string, FeatureView>();
  /** Hashes of the views whose vectors are in a file, by the file's path in the cache. */
  readonly #hashes = new Map<string, readonly string[]>();

  static async open(options: CatalogOptions): Promise<Catalog> {
    const connection = await options.engine.connect();
    for (const stream of STREAMS) await connection.run(unloadedView(stream));
    for (const view of DERIVED_VIEWS) await connection.run(unloadedDerivedView(view));
    for (const statement of shapeStatements()) await connection.run(statement);
    connection.closeSync();
    return new Catalog(options);
  }

  private constructor(options: CatalogOptions) {
    this.#options = options;
  }

  /** The tables that a query's text names; one too many costs a download, one too few is refused by its view. */
  static streamsIn(query: string): readonly Stream[] {
    const names = namesIn(query);
    for (const { of } of derivedIn(query)) for (const stream of of) names.add(stream);
    return STREAMS.filter((stream) => names.has(stream));
  }

  /** Loads tables: their newest version, unless another is asked for. The caller closes the session. */
  async session(streams: readonly Stream[], options: SessionOptions = {}): Promise<Session> {
    const { query, asOf } = options;
    const { logs, engine } = this.#options;
    if (asOf !== undefined) checkOneVersion(streams, asOf);
    const connection = await engine.connect();
    const leases: Lease[] = [];
    const close = (): void => {
      connection.closeSync();
      leases.forEach((lease) => lease.release());
    };
    try {
      const scans = await beginPlanned(connection, streams, query);
      for (const stream of streams) {
        const snapshot = await (asOf === undefined ? logs[stream].refresh() : logs[stream].at(asOf));
        const files = filesFor(stream, snapshot, scans?.get(stream));
        const lease = await this.#lease(stream, cacheFiles(stream, snapshot, files), options);
        leases.push(lease);
        await connection.run(tableView(stream, lease.paths));
        if (stream === "features" && query !== undefined && derivedIn(query).some(namesFeatures))
          await this.#readViews(connection, files, lease.paths);
      }
      for (const view of derivedIn(query ?? "")) await connection.run(derivedView(view, this.#views));
      return { connection, close };
    } catch (error) {
      close();
      throw error;
    }
  }

  async #lease(
    stream: Stream,
    files: readonly CacheFile[],
    { asOf, tell, signal }: SessionOptions,
  ): Promise<Lease> {
    const fetched = (count: number): void => {
      signal?.throwIfAborted();
      tell?.(`fetching files of ${stream}`, count / files.length);
    };
    return this.#options.cache.lease(files, fetched).catch((error: unknown) => {
      throw asOf === undefined ? error : vacuumed(stream, error);
    });
  }

  /** Reads the definitions of the views whose vectors are in files, where they are not known yet. */
  async #readViews(
    connection: DuckDBConnection,
    files: readonly AddFile[],
    paths: readonly string[],
  ): Promise<void> {
    if (this.#hashes.size > REMEMBERED_FILES_MAX) this.#hashes.clear();
    const hashes = new Set<string>();
    for (const [i, path] of paths.entries()) {
      const known = this.#hashes.get(path) ?? statedHash(files[i]) ?? (await hashesIn(connection, path));
      this.#hashes.set(path, known);
      for (const hash of known) hashes.add(hash);
    }
    // A definition may come later than the vectors: then it is looked for again.
    for (const hash of hashes)
      if (!this.#views.has(hash)) {
        const view = await readView(this.#options.store, hash);
        if (view !== undefined) this.#views.set(hash, view);
      }
  }
}

const namesIn = (query: string): Set<string> => new Set(query.toLowerCase().match(/\w+/g) ?? []);

function derivedIn(query: string): readonly DerivedView[] {
  const names = namesIn(query);
  return DERIVED_VIEWS.filter(({ name }) => names.has(name));
}

const namesFeatures = ({ name }: DerivedView): boolean => name === FEATURE_VALUES;

/** Begins the transaction of a session, in which all its queries see the same, with the plan of its query. */
async function beginPlanned(
  connection: DuckDBConnection,
  streams: readonly Stream[],
  query: string | undefined,
): Promise<Awaited<ReturnType<typeof planScans>>> {
  await connection.run("BEGIN TRANSACTION");
  if (query === undefined || streams.length === 0) return undefined;
  try {
    return await planScans(connection, { query, streams, derived: derivedIn(query) });
  } catch {
    // What is wrong with the query is said when it is run.
    await connection.run("ROLLBACK");
    await connection.run("BEGIN TRANSACTION");
    return undefined;
  }
}

/** The files that matter to the scans of a table; all where that is not known. */
const filesFor = (
  stream: Stream,
  { files }: Snapshot,
  scans: readonly (readonly Term[])[] | undefined,
): readonly AddFile[] =>
  scans === undefined || scans.length === 0 ? [...files.values()] : pruneFiles(stream, files.values(), scans);

/** The one view whose vectors a file has, from the log alone. */
function statedHash(file: AddFile | undefined): readonly string[] | undefined {
  const { minValues, maxValues } = parseStats(file?.stats) ?? {};
  const [min, max] = [minValues?.["view_hash"], maxValues?.["view_hash"]];
  return typeof min === "string" && min === max ? [min] : undefined;
}

async function hashesIn(connection: DuckDBConnection, path: string): Promise<readonly string[]> {
  const rows = tableRows("features", [path]);
  const reader = await connection.runAndReadAll(`SELECT DISTINCT view_hash FROM (${rows})`);
  return reader.getRows().map(([hash]) => String(hash));
}

/** Versions of tables have nothing to do with each other: a version means one table, a time means any number. */
function checkOneVersion(streams: readonly Stream[], asOf: AsOf): void {
  if (!("version" in asOf) || streams.length === 1) return;
  const names = streams.length === 0 ? "no table" : `the tables ${streams.join(", ")}`;
  throw new PipelineError(
    "sql.invalid",
    `version ${asOf.version} is of one table, and the query names ${names}`,
    {
      hint:
        streams.length === 0
          ? "Name a table in the query."
          : "Give a time, which means a version of each table.",
    },
  );
}

/** What a file that is gone means for a version that is not the newest. */
const vacuumed = (stream: Stream, error: unknown): unknown =>
  error instanceof PipelineError && error.code === "lake.file_missing"
    ? new PipelineError(
        "lake.version_gone",
        `table ${stream} cannot be read any more as it was: ${error.message}`,
        {
          cause: error,
          hint: "Its files were compacted or went out of retention, and were vacuumed. Ask for a later time.",
        },
      )
    : error;

/** A view's definition from the lake; undefined where it is not there. Throws PipelineError "lake.view_damaged". */
async function readView(store: ObjectStore, hash: string): Promise<FeatureView | undefined> {
  if (!/^[0-9a-f]{64}$/.test(hash)) return undefined;
  const result = await store.get(viewKey(hash));
  if (result.state !== "found") return undefined;
  try {
    const view = featureViewSchema.parse(JSON.parse(new TextDecoder().decode(result.object.body)));
    if (viewHash(view) === hash) return view;
  } catch (cause) {
    throw damaged(hash, "is no feature view", cause);
  }
  throw damaged(hash, "has another hash than its name says");
}

const damaged = (hash: string, what: string, cause?: unknown): PipelineError =>
  new PipelineError("lake.view_damaged", `${viewKey(hash)} ${what}`, {
    cause,
    hint: "Delete the object; the cloud service publishes the views of its models when it starts.",
  });

/** Files of a snapshot and their places in the cache: the table's identity, its day, the file's name. */
export function cacheFiles(
  stream: Stream,
  { metaData }: Snapshot,
  files: readonly AddFile[],
): readonly CacheFile[] {
  return files.map((file) => {
    const path = decodeURIComponent(file.path);
    const name = placeName(path.slice(path.lastIndexOf("/") + 1));
    const day = placeName(file.partitionValues[PARTITION_COLUMN] ?? "__HIVE_DEFAULT_PARTITION__");
    return {
      key: `${tablePrefix(stream)}${path}`,
      bytes: file.size,
      place: `${placeName(metaData?.id ?? stream)}/${PARTITION_COLUMN}=${day}/${name}`,
    };
  });
}

/** A name as one part of a path. */
function placeName(name: string): string {
  if (!/^[\w.-]{1,200}$/.test(name) || /^\.+$/.test(name))
    throw new PipelineError("lake.log_damaged", `the table's log names a file ${JSON.stringify(name)}`, {
      hint: "Only letters, digits, dots, dashes and underscores are read.",
    });
  return name;
}
