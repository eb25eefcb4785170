import { decodeNested, encodeNested, type NestedRow } from "@sluice/shared/codec/arrow-nested.ts";
import { Compression, readParquet, Table, writeParquet, WriterPropertiesBuilder } from "parquet-wasm";
import { type Action, checkAction, damaged } from "./delta-action.ts";
import { EMPTY_SNAPSHOT, type Snapshot, SnapshotBuilder } from "./delta-snapshot.ts";

const TEXTS = { map: "string" } as const;
const NAMES = { list: "string" } as const;

/** The columns of a checkpoint, one action a row (Delta protocol, "Checkpoint Schema"). */
const COLUMNS = {
  protocol: {
    struct: {
      minReaderVersion: "integer",
      minWriterVersion: "integer",
      readerFeatures: NAMES,
      writerFeatures: NAMES,
    },
  },
  metaData: {
    struct: {
      id: "string",
      name: "string",
      description: "string",
      format: { struct: { provider: "string", options: TEXTS } },
      schemaString: "string",
      partitionColumns: NAMES,
      createdTime: "long",
      configuration: TEXTS,
    },
  },
  txn: { struct: { appId: "string", version: "long", lastUpdated: "long" } },
  add: {
    struct: {
      path: "string",
      partitionValues: TEXTS,
      size: "long",
      modificationTime: "long",
      dataChange: "boolean",
      stats: "string",
      tags: TEXTS,
    },
  },
  remove: {
    struct: {
      path: "string",
      deletionTimestamp: "long",
      dataChange: "boolean",
      extendedFileMetadata: "boolean",
      partitionValues: TEXTS,
      size: "long",
    },
  },
} as const;

/** A snapshot as a checkpoint, and how many actions it has. */
export function encodeCheckpoint(snapshot: Snapshot): {
  readonly body: Uint8Array;
  readonly actions: number;
} {
  const { protocol, metaData, txns, files, tombstones } = snapshot;
  const rows: NestedRow[] = [];
  if (protocol !== undefined) rows.push({ protocol });
  if (metaData !== undefined)
    rows.push({ metaData: { format: { provider: "parquet", options: {} }, configuration: {}, ...metaData } });
  for (const txn of txns.values()) rows.push({ txn });
  // What a checkpoint holds is not new (Delta protocol, "Action Reconciliation").
  for (const file of files.values()) rows.push({ add: { ...file, dataChange: false } });
  for (const tombstone of tombstones.values()) rows.push({ remove: { ...tombstone, dataChange: false } });
  const properties = new WriterPropertiesBuilder().setCompression(Compression.ZSTD).setCreatedBy("sluice");
  const body = writeParquet(Table.fromIPCStream(encodeNested(COLUMNS, rows)), properties.build());
  return { body, actions: rows.length };
}

/**
 * Reads a checkpoint of any writer, from all of its parts.
 *
 * Throws PipelineError "lake.log_damaged" where it is not whole, "lake.protocol_unsupported".
 */
export function decodeCheckpoint(
  version: number,
  parts: readonly { readonly key: string; readonly body: Uint8Array }[],
): Snapshot {
  const builder = new SnapshotBuilder(EMPTY_SNAPSHOT);
  const seen = new Set<string>();
  for (const { key, body } of parts) {
    const actions = actionsOf(key, body);
    for (const action of actions) {
      const name = identityOf(action);
      if (seen.has(name)) throw damaged(key, `the checkpoint has ${name} twice`);
      seen.add(name);
    }
    builder.apply(version, actions, key);
  }
  for (const kind of ["protocol", "metaData"])
    if (!seen.has(kind)) throw damaged(parts[0]?.key ?? "the checkpoint", `the checkpoint has no ${kind}`);
  return builder.build();
}

function actionsOf(key: string, body: Uint8Array): readonly Action[] {
  let rows: readonly NestedRow[];
  try {
    rows = decodeNested(Object.keys(COLUMNS), readParquet(body).intoIPCStream());
  } catch (cause) {
    throw damaged(key, "the checkpoint cannot be read as Parquet", cause);
  }
  return rows.flatMap((row, i) =>
    Object.entries(row).flatMap(([kind, value]) => {
      if (typeof value !== "object" || value === null)
        throw damaged(`${key} row ${i}`, `${kind} is no struct`);
      return checkAction(kind, value, `${key} row ${i}`) ?? [];
    }),
  );
}

/** What may be in a checkpoint only once. */
function identityOf(action: Action): string {
  if ("add" in action) return `file ${action.add.path}`;
  if ("remove" in action) return `file ${action.remove.path}`;
  if ("txn" in action) return `transaction ${action.txn.appId}`;
  return Object.keys(action)[0] ?? "";
}

/** How a checkpoint contradicts the commit of its own version; undefined where it does not. */
export function contradictionOf({ files, txns }: Snapshot, commit: readonly Action[]): string | undefined {
  const removed = new Set(commit.flatMap((action) => ("remove" in action ? [action.remove.path] : [])));
  const added = new Set(commit.flatMap((action) => ("add" in action ? [action.add.path] : [])));
  for (const path of added) if (!files.has(path) && !removed.has(path)) return `it lacks ${path}`;
  for (const path of removed) if (files.has(path) && !added.has(path)) return `it still has ${path}`;
  for (const action of commit)
    if ("txn" in action && txns.get(action.txn.appId)?.version !== action.txn.version)
      return `its transaction of ${action.txn.appId} is another`;
  return undefined;
}

/** Where the newest checkpoint is (Delta protocol, "Last Checkpoint File"): a hint, which may be wrong. */
export const formatHint = ({ version, files }: Snapshot, size: number, sizeInBytes: number): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ version, size, sizeInBytes, numOfAddFiles: files.size }));

/** The version that a hint names; undefined where it is no hint. */
export function parseHint(body: Uint8Array): number | undefined {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(body));
    const version: unknown =
      typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, "version") : undefined;
    return typeof version === "number" && Number.isSafeInteger(version) && version >= 0 ? version : undefined;
  } catch {
    return undefined;
  }
}
