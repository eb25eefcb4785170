import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Label } from "@sluice/shared/contract/label.ts";
import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Prediction } from "@sluice/shared/contract/prediction.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { FileCache } from "./cache.ts";
import { Catalog, type Session, type SessionOptions } from "./catalog.ts";
import type { CommitReport } from "./commit-report.ts";
import { Committer } from "./committer.ts";
import type { AsOf } from "./delta-history.ts";
import { DeltaLog } from "./delta-log.ts";
import { tableColumns } from "./delta-schema.ts";
import type { Snapshot } from "./delta-snapshot.ts";
import { parseStats } from "./delta-stats.ts";
import { type ReadingQuery, readReadings } from "./readings.ts";
import { JoinSession } from "./join-session.ts";
import type { LakeSettings } from "./settings.ts";
import { askReadOnly, SqlEngine, type SqlResult } from "./sql.ts";
import { Upkeep } from "./upkeep.ts";
import { type AnswerFile, writeAnswer } from "./sql-file.ts";
import type { Watch } from "./sql-watch.ts";
import { readPredictions, readStoredVectors, type StoredQuery } from "./stored-rows.ts";
import { readLabels, readVectors, type VectorQuery, type VectorTable } from "./vectors.ts";
import { type OutFile, writeLines } from "./write-rows.ts";

/** A table's newest version; version -1 is a table without a commit. */
export interface TableInfo {
  readonly name: Stream;
  readonly version: number;
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
}

/** How a question is asked. */
export interface Question extends Watch {
  readonly asOf?: AsOf | undefined;
}

export interface LakeOptions {
  readonly store: ObjectStore;
  readonly settings: LakeSettings;
  readonly clock: Clock;
  readonly log: Log;
}

interface Parts {
  readonly settings: LakeSettings;
  readonly logs: Readonly<Record<Stream, DeltaLog>>;
  readonly committer: Committer;
  readonly cache: FileCache;
  readonly engine: SqlEngine;
  readonly catalog: Catalog;
  readonly upkeep: Upkeep;
}

/** How much longer than their grace landing objects may lie about, because nothing committed for a while. */
const DAY_MS = 86_400_000;

/**
 * The tables of the lake: what has landed goes in by `commitLanding`, everything else reads.
 *
 * Every read sees the newest commit of each table that it names. Errors: those of the store, of the logs ("lake.…"),
 * of the cache ("lake.cache_…", "lake.file_…") and of queries ("sql.…").
 */
export class Lake {
  readonly #parts: Parts;
  /** Vectors by view hash, at a version of the features table. */
  #vectorCounts: { readonly version: number; readonly byView: ReadonlyMap<string, number> } | undefined;
  readonly #infos = new WeakMap<Snapshot, TableInfo>();

  static async open({ store, settings, clock, log }: LakeOptions): Promise<Lake> {
    const rememberMs = 2 * settings.landingGraceMs + DAY_MS;
    const logOf = (stream: Stream): DeltaLog =>
      new DeltaLog(store, tablePrefix(stream), {
        rememberMs,
        columns: tableColumns(stream),
        retentionMs: settings.logRetentionMs,
        onProblem: (error) => log.warn({ code: error.code, hint: error.hint }, error.message),
      });
    const logs = {
      readings: logOf("readings"),
      features: logOf("features"),
      predictions: logOf("predictions"),
      labels: logOf("labels"),
      quarantine: logOf("quarantine"),
      events: logOf("events"),
    };
    const { commitBytesMax, landingGraceMs, memoryLimitMb, cacheDir, cacheBytesMax } = settings;
    const committer = new Committer({ store, logs, commitBytesMax, landingGraceMs, clock, log });
    const cache = await FileCache.open({ store, dir: cacheDir, bytesMax: cacheBytesMax, clock });
    const { filesDir, spillDir, workDir } = cache;
    const engine = await SqlEngine.open({ filesDir, spillDir, workDir, memoryLimitMb });
    const catalog = await Catalog.open({ store, logs, cache, engine });
    const upkeep = new Upkeep({ store, logs, cache, engine, clock }, settings);
    return new Lake({ settings, logs, committer, cache, engine, catalog, upkeep });
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What keeps the tables small: compaction, retention, vacuum. */
  get upkeep(): Upkeep {
    return this.#parts.upkeep;
  }

  /** One pass over everything that has landed; `requireHeld` throws where the lease is not ours any more. */
  commitLanding(requireHeld?: () => void): Promise<CommitReport> {
    return this.#parts.committer.run(requireHeld);
  }

  /**
   * Answers one statement that only reads; `asOf`: of the tables as they were, instead of as they are.
   *
   * Throws PipelineError "sql.invalid", "sql.too_large", "lake.version_gone", "lake.version_unknown", and the reason of
   * the signal.
   */
  sql(query: string, options: Question = {}): Promise<SqlResult> {
    const rowsMax = this.#parts.settings.resultRowsMax;
    return this.#ask(query, options, ({ connection }) =>
      askReadOnly(connection, query, { rowsMax, ...options }),
    );
  }

  /** The same into a file, which appears whole or not at all; returns its rows. Throws PipelineError "config.out" too. */
  sqlToFile(query: string, { asOf, tell, signal, ...file }: Question & AnswerFile): Promise<number> {
    const rowsMax = this.#parts.settings.resultRowsMax;
    return this.#withFolder((workDir) =>
      this.#ask(query, { asOf, tell, signal }, ({ connection }) =>
        writeAnswer({ connection, workDir, rowsMax }, query, { ...file, tell, signal }),
      ),
    );
  }

  async #ask<T>(
    query: string,
    { asOf, tell, signal }: Question,
    answer: (session: Session) => Promise<T>,
  ): Promise<T> {
    const ask = (): Promise<T> =>
      this.#with(
        Catalog.streamsIn(query),
        (session) => {
          tell?.("running the query");
          return answer(session);
        },
        { query, asOf, tell, signal },
      );
    try {
      return await ask();
    } catch (error) {
      // Another process that shares the cache may have evicted a file since: it is fetched again.
      if (error instanceof PipelineError && error.message.startsWith("IO Error")) return ask();
      throw error;
    }
  }

  vectors(query: VectorQuery): Promise<VectorTable> {
    return this.#with(["features"], ({ connection }) => readVectors(connection, query));
  }

  labels(query: { readonly knownByUs?: number }): Promise<readonly Label[]> {
    return this.#with(["labels"], ({ connection }) => readLabels(connection, query));
  }

  /** Readings of one gateway's epoch in blocks of at most 50,000, ordered by (offset, index). */
  async *readings(query: ReadingQuery): AsyncGenerator<ReadingBlock> {
    const session = await this.#parts.catalog.session(["readings"]);
    try {
      yield* readReadings(session.connection, query);
    } finally {
      session.close();
    }
  }

  /** Vectors as a gateway stored them, by their numbers. */
  vectorsOf(query: StoredQuery): Promise<readonly StoredVector[]> {
    return this.#with(["features"], ({ connection }) => readStoredVectors(connection, query));
  }

  /** Predictions as a gateway stored them, by their numbers. */
  predictions(query: StoredQuery): Promise<readonly Prediction[]> {
    return this.#with(["predictions"], ({ connection }) => readPredictions(connection, query));
  }

  /** Joins request rows with vectors; the tables of the join are there while `work` runs. */
  join<T>(work: (join: JoinSession) => Promise<T>): Promise<T> {
    return this.#withFolder((workDir) =>
      this.#with(["features", "labels"], ({ connection }) => work(new JoinSession({ connection, workDir }))),
    );
  }

  /** Writes lines of CSV, the first of which names the columns, to a file. Throws PipelineError "config.out". */
  writeRows(lines: AsyncIterable<string>, out: OutFile): Promise<void> {
    return this.#withFolder((workDir) =>
      this.#with([], ({ connection }) => writeLines({ connection, workDir }, lines, out)),
    );
  }

  /** How many vectors of a view the lake has, every revision counted. Looks into files only after a commit. */
  async vectorCount(viewHash: string): Promise<number> {
    const { version } = await this.#parts.logs.features.refresh();
    if (this.#vectorCounts?.version !== version) {
      const byView = await this.#with(["features"], async ({ connection }) => {
        const reader = await connection.runAndReadAll(
          "SELECT view_hash, count(*) FROM features GROUP BY view_hash",
        );
        return new Map(reader.getRows().map(([hash, count]) => [String(hash), Number(count)]));
      });
      this.#vectorCounts = { version, byView };
    }
    return this.#vectorCounts.byView.get(viewHash) ?? 0;
  }

  async labelCount(): Promise<number> {
    return this.#info("labels", await this.#parts.logs.labels.refresh()).rows;
  }

  /** All tables, from their logs alone. */
  tables(): Promise<readonly TableInfo[]> {
    return Promise.all(
      STREAMS.map(async (stream) => this.#info(stream, await this.#parts.logs[stream].refresh())),
    );
  }

  async close(): Promise<void> {
    this.#parts.engine.close();
    await this.#parts.cache.close();
  }

  /** A folder that the engine may read and write, while `work` runs. */
  async #withFolder<T>(work: (workDir: string) => Promise<T>): Promise<T> {
    const workDir = await mkdtemp(join(this.#parts.cache.workDir, "files-"));
    try {
      return await work(workDir);
    } catch (cause) {
      if (!(cause instanceof Error) || !cause.message.startsWith("Out of Memory")) throw cause;
      const { memoryLimitMb } = this.#parts.settings;
      throw new PipelineError("sql.out_of_memory", `${memoryLimitMb} MiB were not enough`, {
        cause,
        hint: "Raise tables.memoryLimitMb, or give fewer rows or views at once.",
      });
    } finally {
      await rm(workDir, { recursive: true, force: true });
    }
  }

  async #with<T>(
    streams: readonly Stream[],
    work: (session: Session) => Promise<T>,
    options?: SessionOptions,
  ): Promise<T> {
    const session = await this.#parts.catalog.session(streams, options);
    try {
      return await work(session);
    } finally {
      session.close();
    }
  }

  #info(name: Stream, snapshot: Snapshot): TableInfo {
    const known = this.#infos.get(snapshot);
    if (known !== undefined) return known;
    const files = [...snapshot.files.values()];
    const info = {
      name,
      version: snapshot.version,
      files: files.length,
      rows: files.reduce((sum, file) => sum + (parseStats(file.stats)?.numRecords ?? 0), 0),
      bytes: files.reduce((sum, file) => sum + file.size, 0),
    };
    // The empty snapshot is one for all tables.
    if (snapshot.version >= 0) this.#infos.set(snapshot, info);
    return info;
  }
}
