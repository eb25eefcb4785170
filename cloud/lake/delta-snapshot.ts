import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Action, AddFile, CommitInfo, MetaData, Protocol, RemoveFile, Txn } from "./delta-action.ts";
import { LayeredMap } from "./layered-map.ts";

/** The newest protocol that this code reads and writes: Parquet files, partitions, statistics, nothing else. */
export const PROTOCOL: Protocol = { minReaderVersion: 1, minWriterVersion: 2 };

/** A table as one version of its log has it; it never changes. Version -1 is a table that does not exist yet. */
export interface Snapshot {
  readonly version: number;
  /** When the version was committed, in milliseconds since the epoch; later than every version before it. */
  readonly committedAtMs: number;
  readonly metaData: MetaData | undefined;
  readonly protocol: Protocol | undefined;
  /** Active files by path. */
  readonly files: LayeredMap<AddFile>;
  /** Files that were removed and may still be in the store, by path. */
  readonly tombstones: LayeredMap<RemoveFile>;
  /** The newest transaction by application. */
  readonly txns: LayeredMap<Txn>;
}

export const EMPTY_SNAPSHOT: Snapshot = {
  version: -1,
  committedAtMs: -1,
  metaData: undefined,
  protocol: undefined,
  files: LayeredMap.of(),
  tombstones: LayeredMap.of(),
  txns: LayeredMap.of(),
};

/** A snapshot while commits are read into it. What is built costs as much as the commits, not as the table. */
export class SnapshotBuilder {
  readonly #from: Snapshot;
  #version: number;
  #committedAtMs: number;
  #metaData: MetaData | undefined;
  #protocol: Protocol | undefined;
  readonly #files = new Map<string, AddFile | undefined>();
  readonly #tombstones = new Map<string, RemoveFile | undefined>();
  readonly #txns = new Map<string, Txn | undefined>();

  constructor(from: Snapshot) {
    this.#from = from;
    this.#version = from.version;
    this.#committedAtMs = from.committedAtMs;
    this.#metaData = from.metaData;
    this.#protocol = from.protocol;
  }

  /**
   * Applies one commit; `where` is for messages. Throws PipelineError "lake.protocol_unsupported" where reading on would
   * be wrong.
   */
  apply(version: number, actions: readonly Action[], where: string): void {
    this.#version = version;
    this.#committedAtMs = nextCommittedAtMs(this.#committedAtMs, commitInfoOf(actions)?.timestamp);
    for (const action of actions) this.#take(action, where);
  }

  #take(action: Action, where: string): void {
    if ("protocol" in action) {
      checkReadable(action.protocol, where);
      this.#protocol = action.protocol;
    } else if ("metaData" in action) this.#metaData = action.metaData;
    else if ("add" in action) {
      this.#files.set(action.add.path, action.add);
      this.#tombstones.set(action.add.path, undefined);
    } else if ("remove" in action) {
      this.#files.set(action.remove.path, undefined);
      this.#tombstones.set(action.remove.path, action.remove);
    } else if ("txn" in action) this.#txns.set(action.txn.appId, action.txn);
  }

  build(): Snapshot {
    return {
      version: this.#version,
      committedAtMs: this.#committedAtMs,
      metaData: this.#metaData,
      protocol: this.#protocol,
      files: this.#from.files.with(this.#files),
      tombstones: this.#from.tombstones.with(this.#tombstones),
      txns: this.#from.txns.with(this.#txns),
    };
  }
}

/** What a commit says of itself. */
export function commitInfoOf(actions: readonly Action[]): CommitInfo | undefined {
  for (const action of actions) if ("commitInfo" in action) return action.commitInfo;
  return undefined;
}

/** Times of versions only grow, whatever the clocks of their writers say: at least a millisecond each. */
export const nextCommittedAtMs = (beforeMs: number, statedMs = 0): number => Math.max(beforeMs + 1, statedMs);

/** From these versions on a protocol is a list of features (Delta protocol, "Table Features"). */
const READER_FEATURES_VERSION = 3;
const WRITER_FEATURES_VERSION = 7;

/** Features that are older than the lists, and that this code keeps to. */
const WRITER_FEATURES = ["appendOnly", "invariants"];

function checkReadable({ minReaderVersion, readerFeatures }: Protocol, where: string): void {
  if (minReaderVersion <= PROTOCOL.minReaderVersion) return;
  const listed = minReaderVersion === READER_FEATURES_VERSION && Array.isArray(readerFeatures);
  if (listed && readerFeatures.length === 0) return;
  throw new PipelineError(
    "lake.protocol_unsupported",
    `${where}: the table needs Delta reader version ${minReaderVersion}${listed ? ` with ${readerFeatures.join(", ")}` : ""}`,
    {
      hint: `This program reads version ${PROTOCOL.minReaderVersion}: another engine has switched on column mapping, deletion vectors or the like. Rewrite the table without them.`,
    },
  );
}

/** Throws PipelineError "lake.protocol_unsupported" where writing would break a promise that another engine made. */
export function checkWritable({ protocol, metaData }: Snapshot, where: string): void {
  const invariants = metaData?.schemaString.includes("delta.invariants") === true;
  const needed = unsupportedWriter(protocol);
  if (needed === undefined && !invariants) return;
  throw new PipelineError(
    "lake.protocol_unsupported",
    `${where}: ${invariants ? "the table has column invariants" : `the table needs Delta writer version ${needed}`}`,
    {
      hint: `This program writes version ${PROTOCOL.minWriterVersion} without invariants: another engine has switched on more. Rewrite the table without it.`,
    },
  );
}

/** What a writer would need; undefined where this code has it. */
function unsupportedWriter(protocol: Protocol | undefined): string | undefined {
  if (protocol === undefined || protocol.minWriterVersion <= PROTOCOL.minWriterVersion) return undefined;
  const { minWriterVersion, writerFeatures } = protocol;
  if (minWriterVersion !== WRITER_FEATURES_VERSION || !Array.isArray(writerFeatures))
    return String(minWriterVersion);
  const missing = writerFeatures.filter((feature: string) => !WRITER_FEATURES.includes(feature));
  return missing.length === 0 ? undefined : `${minWriterVersion} with ${missing.join(", ")}`;
}

/** Throws PipelineError "lake.protocol_unsupported" where rows of the table may not change or go. */
export function checkChangeable({ metaData }: Snapshot, where: string): void {
  if (metaData?.configuration?.["delta.appendOnly"] !== "true") return;
  throw new PipelineError("lake.protocol_unsupported", `${where}: the table is for appending only`, {
    hint: "Another engine has set delta.appendOnly. Set it to false, or keep the rows for ever.",
  });
}
