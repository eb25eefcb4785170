import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Action, AddFile, MetaData, Protocol, Txn } from "./delta-action.ts";

/** The newest protocol that this code reads and writes: Parquet files, partitions, statistics, nothing else. */
export const PROTOCOL: Protocol = { minReaderVersion: 1, minWriterVersion: 2 };

/** A table as one version of its log has it. Version -1 is a table that does not exist yet. */
export interface Snapshot {
  readonly version: number;
  readonly metaData: MetaData | undefined;
  readonly protocol: Protocol | undefined;
  /** Active files by path. */
  readonly files: ReadonlyMap<string, AddFile>;
  /** The newest transaction by application. */
  readonly txns: ReadonlyMap<string, Txn>;
}

export const EMPTY_SNAPSHOT: Snapshot = {
  version: -1,
  metaData: undefined,
  protocol: undefined,
  files: new Map(),
  txns: new Map(),
};

/** A snapshot while commits are read into it. */
export class SnapshotBuilder {
  #version: number;
  #metaData: MetaData | undefined;
  #protocol: Protocol | undefined;
  readonly #files: Map<string, AddFile>;
  readonly #txns: Map<string, Txn>;

  constructor(from: Snapshot) {
    this.#version = from.version;
    this.#metaData = from.metaData;
    this.#protocol = from.protocol;
    this.#files = new Map(from.files);
    this.#txns = new Map(from.txns);
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
      else if ("txn" in action) this.#txns.set(action.txn.appId, action.txn);
    }
  }

  build(): Snapshot {
    return {
      version: this.#version,
      metaData: this.#metaData,
      protocol: this.#protocol,
      files: this.#files,
      txns: this.#txns,
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
