import type { DuckDBConnection } from "@duckdb/node-api";
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { type FeatureView, featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { tablePrefix, viewKey } from "@sluice/shared/contract/lake-key.ts";
import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { CacheFile, FileCache, Lease } from "./cache.ts";
import type { AsOf } from "./delta-history.ts";
import type { DeltaLog } from "./delta-log.ts";
import { PARTITION_COLUMN } from "./delta-schema.ts";
import type { Snapshot } from "./delta-snapshot.ts";
import type { SqlEngine } from "./sql.ts";
import {
  FEATURE_VALUES,
  featureValuesView,
  READINGS_CORRECTED,
  readingsCorrectedView,
  tableView,
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

/** The tables as the engine sees them: views over the cached files of the newest snapshots. */
export class Catalog {
  readonly #options: CatalogOptions;
  readonly #ddl: DuckDBConnection;
  readonly #defined = new Map<Stream, number>();
  readonly #views = new Map<string, FeatureView>();
  /** Version of the features table whose view hashes were looked up; undefined while a definition is missing. */
  #namedAt: number | undefined;
  /** The last change of the views; changes come one after the other. */
  #changing: Promise<void> = Promise.resolve();

  static async open(options: CatalogOptions): Promise<Catalog> {
    const catalog = new Catalog(options, await options.engine.connect());
    for (const stream of STREAMS) await catalog.#ddl.run(unloadedView(stream));
    await catalog.#ddl.run(featureValuesView(new Map()));
    await catalog.#ddl.run(readingsCorrectedView());
    return catalog;
  }

  private constructor(options: CatalogOptions, ddl: DuckDBConnection) {
    this.#options = options;
    this.#ddl = ddl;
  }

  /** The tables that a query's text names; one too many costs a download, one too few is refused by its view. */
  static streamsIn(query: string): readonly Stream[] {
    const names = new Set(query.toLowerCase().match(/\w+/g) ?? []);
    if (names.has(FEATURE_VALUES)) names.add("features");
    if (names.has(READINGS_CORRECTED)) for (const stream of ["readings", "events"]) names.add(stream);
    return STREAMS.filter((stream) => names.has(stream));
  }

  /** Loads the newest version of the tables. The caller closes the session. */
  async session(streams: readonly Stream[]): Promise<Session> {
    const { logs, cache, engine } = this.#options;
    const leases: Lease[] = [];
    const release = (): void => leases.forEach((lease) => lease.release());
    try {
      for (const stream of streams) {
        const snapshot = await logs[stream].refresh();
        const lease = await cache.lease(cacheFiles(stream, snapshot));
        leases.push(lease);
        await this.#change(() => this.#define(stream, snapshot, lease));
      }
      if (streams.includes("features")) await this.#change(() => this.#nameFeatures());
      const connection = await engine.connect();
      // All queries of a session see the same views, although other sessions define newer ones.
      await connection.run("BEGIN TRANSACTION");
      return {
        connection,
        close: () => {
          connection.closeSync();
          release();
        },
      };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Loads the tables as they were. Only this session sees them so. The caller closes it. */
  async sessionAsOf(streams: readonly Stream[], asOf: AsOf): Promise<Session> {
    const { logs, cache, engine } = this.#options;
    checkOneVersion(streams, asOf);
    const connection = await engine.connect();
    const leases: Lease[] = [];
    const close = (): void => {
      connection.closeSync();
      leases.forEach((lease) => lease.release());
    };
    try {
      for (const stream of streams) {
        const snapshot = await logs[stream].at(asOf);
        const lease = await cache.lease(cacheFiles(stream, snapshot)).catch((error: unknown) => {
          throw vacuumed(stream, error);
        });
        leases.push(lease);
        await connection.run(temporary(tableView(stream, lease.paths)));
      }
      if (streams.includes("features")) {
        await this.#readViews(connection);
        await connection.run(temporary(featureValuesView(this.#views)));
      }
      // Views are bound to the tables of the connection that makes them.
      await connection.run(temporary(readingsCorrectedView()));
      await connection.run("BEGIN TRANSACTION");
      return { connection, close };
    } catch (error) {
      close();
      throw error;
    }
  }

  close(): void {
    this.#ddl.closeSync();
  }

  #change(work: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(work);
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  async #define(stream: Stream, snapshot: Snapshot, lease: Lease): Promise<void> {
    if ((this.#defined.get(stream) ?? -2) >= snapshot.version) return;
    await this.#ddl.run(tableView(stream, lease.paths));
    this.#defined.set(stream, snapshot.version);
  }

  /** Looks up the definitions of the views whose vectors are in the table. */
  async #nameFeatures(): Promise<void> {
    const version = this.#defined.get("features");
    if (version === this.#namedAt) return;
    const hashes = await this.#readViews(this.#ddl);
    await this.#ddl.run(featureValuesView(this.#views));
    // A definition may come later than the vectors: then it is looked for again.
    this.#namedAt = hashes.every((hash) => this.#views.has(hash)) ? version : undefined;
  }

  /** Reads the definitions that are not known yet, and returns the hashes of all whose vectors are in the table. */
  async #readViews(connection: DuckDBConnection): Promise<readonly string[]> {
    const reader = await connection.runAndReadAll("SELECT DISTINCT view_hash FROM features");
    const hashes = reader.getRows().map(([hash]) => String(hash));
    for (const hash of hashes)
      if (!this.#views.has(hash)) {
        const view = await readView(this.#options.store, hash);
        if (view !== undefined) this.#views.set(hash, view);
      }
    return hashes;
  }
}

/** The same view for one connection only, where it hides the one that all see. */
const temporary = (statement: string): string =>
  statement.replace(/^CREATE OR REPLACE VIEW/, "CREATE OR REPLACE TEMPORARY VIEW");

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

/** The files of a snapshot and their places in the cache: the table's identity, its day, the file's name. */
function cacheFiles(stream: Stream, { metaData, files }: Snapshot): readonly CacheFile[] {
  return [...files.values()].map((file) => {
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
