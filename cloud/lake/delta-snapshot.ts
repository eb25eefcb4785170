import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Action, AddFile, MetaData, Protocol, Txn } from "./delta-action.ts";

/** The newest protocol that this code reads and writes: Parquet files, partitions, statistics, nothing else. */
export const PROTOCOL: Protocol = { minReaderVersion: 1, minWriterVersion: 2 };

/** Marks that are remembered per application: beyond it the age of landing objects is underestimated, never over. */
const MARKS_MAX = 256;

/** Landing objects whose checksums are remembered: about 20 MB, far more than lie in their grace at any time. */
const LANDED_MAX = 100_000;

/** When an application's rows up to `version` became visible: milliseconds since the epoch. */
export interface Mark {
  readonly version: number;
  readonly atMs: number;
}

/** What became of a landing object: its rows are in the table, or it could not be used. */
export type Fate = { readonly state: "landed"; readonly sha256: string } | { readonly state: "lost" };

/** A table as one version of its log has it. Version -1 is a table that does not exist yet. */
export interface Snapshot {
  readonly version: number;
  readonly metaData: MetaData | undefined;
  readonly protocol: Protocol | undefined;
  /** Active files by path. */
  readonly files: ReadonlyMap<string, AddFile>;
  /** The newest transaction by application. */
  readonly txns: ReadonlyMap<string, Txn>;
  /** The transactions by application, oldest first, as far back as this reader has read the log. */
  readonly marks: ReadonlyMap<string, readonly Mark[]>;
  /** What became of landing objects, by key, as far back as this reader has read the log. */
  readonly landed: ReadonlyMap<string, Fate>;
}

export const EMPTY_SNAPSHOT: Snapshot = {
  version: -1,
  metaData: undefined,
  protocol: undefined,
  files: new Map(),
  txns: new Map(),
  marks: new Map(),
  landed: new Map(),
};

/** A snapshot while commits are read into it. */
export class SnapshotBuilder {
  #version: number;
  #metaData: MetaData | undefined;
  #protocol: Protocol | undefined;
  readonly #files: Map<string, AddFile>;
  readonly #txns: Map<string, Txn>;
  readonly #marks: Map<string, readonly Mark[]>;
  readonly #landed: Map<string, Fate>;

  constructor(from: Snapshot) {
    this.#version = from.version;
    this.#metaData = from.metaData;
    this.#protocol = from.protocol;
    this.#files = new Map(from.files);
    this.#txns = new Map(from.txns);
    this.#marks = new Map(from.marks);
    this.#landed = new Map(from.landed);
  }

  /** Applies one commit. Throws PipelineError "lake.protocol_unsupported" where reading on would be wrong. */
  apply(version: number, actions: readonly Action[]): void {
    this.#version = version;
    for (const action of actions) {
      if ("protocol" in action) {
        checkReadable(action.protocol);
        this.#protocol = action.protocol;
      } else if ("metaData" in action) this.#metaData = action.metaData;
      else if ("add" in action) this.#files.set(action.add.path, action.add);
      else if ("remove" in action) this.#files.delete(action.remove.path);
      else if ("txn" in action) this.#applyTxn(action.txn);
      else {
        const { landed = [], lost = [] } = action.commitInfo.sluice ?? {};
        for (const { key, sha256 } of landed) this.#landed.set(key, { state: "landed", sha256 });
        for (const { key } of lost) this.#landed.set(key, { state: "lost" });
      }
    }
  }

  #applyTxn(txn: Txn): void {
    this.#txns.set(txn.appId, txn);
    const mark = { version: txn.version, atMs: txn.lastUpdated ?? Infinity };
    const marks = this.#marks.get(txn.appId) ?? [];
    this.#marks.set(txn.appId, [...marks.slice(1 - MARKS_MAX), mark]);
  }

  build(): Snapshot {
    for (const key of this.#landed.keys()) {
      if (this.#landed.size <= LANDED_MAX) break;
      this.#landed.delete(key);
    }
    return {
      version: this.#version,
      metaData: this.#metaData,
      protocol: this.#protocol,
      files: this.#files,
      txns: this.#txns,
      marks: this.#marks,
      landed: this.#landed,
    };
  }
}

function checkReadable(protocol: Protocol): void {
  if (protocol.minReaderVersion <= PROTOCOL.minReaderVersion) return;
  throw new PipelineError(
    "lake.protocol_unsupported",
    `the table needs Delta reader version ${protocol.minReaderVersion}`,
    {
      hint: `This program reads version ${PROTOCOL.minReaderVersion}: another engine has switched on column mapping, deletion vectors or the like. Rewrite the table without them.`,
    },
  );
}

/** Throws PipelineError "lake.protocol_unsupported" where writing would break a promise that another engine made. */
export function checkWritable({ protocol, metaData }: Snapshot): void {
  const needed = protocol?.minWriterVersion ?? 0;
  const invariants = metaData?.schemaString.includes("delta.invariants") === true;
  if (needed <= PROTOCOL.minWriterVersion && !invariants) return;
  throw new PipelineError(
    "lake.protocol_unsupported",
    invariants ? "the table has column invariants" : `the table needs Delta writer version ${needed}`,
    {
      hint: `This program writes version ${PROTOCOL.minWriterVersion} without invariants: another engine has switched on more. Rewrite the table without it.`,
    },
  );
}

/** When the rows of an application up to `through` became visible; undefined where that is not known to be past. */
export function committedAtMs(snapshot: Snapshot, appId: string, through: number): number | undefined {
  return snapshot.marks.get(appId)?.find((mark) => mark.version >= through)?.atMs;
}
