import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** A data file of the table (Delta protocol, "Add File"). `path` is relative to the table and URL-encoded. */
export interface AddFile {
  readonly path: string;
  readonly partitionValues: Readonly<Record<string, string | null>>;
  readonly size: number;
  readonly modificationTime: number;
  readonly dataChange: boolean;
  /** JSON of FileStats; undefined where the writer gave none. */
  readonly stats?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/**
 * A file that is no longer part of the table (Delta protocol, "Remove File"). It stays in the store for those who read
 * older versions, until it is vacuumed.
 */
export interface RemoveFile {
  readonly path: string;
  /** Milliseconds since the epoch; readers take a missing one as 0. */
  readonly deletionTimestamp?: number;
  /** False: the same rows are in other files now. */
  readonly dataChange: boolean;
  /** The two fields that follow are there. */
  readonly extendedFileMetadata?: boolean;
  readonly partitionValues?: Readonly<Record<string, string | null>>;
  readonly size?: number;
}

/** How far an application's rows are in the table (Delta protocol, "Transaction Identifiers"). */
export interface Txn {
  readonly appId: string;
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly lastUpdated?: number;
}

export interface MetaData {
  readonly id: string;
  readonly schemaString: string;
  readonly partitionColumns: readonly string[];
  readonly name?: string;
  readonly format?: { readonly provider: string; readonly options: Readonly<Record<string, string>> };
  readonly configuration?: Readonly<Record<string, string>>;
  readonly createdTime?: number;
}

export interface Protocol {
  readonly minReaderVersion: number;
  readonly minWriterVersion: number;
  readonly readerFeatures?: readonly string[];
  readonly writerFeatures?: readonly string[];
}

/** What a commit says of itself; `sluice` is ours: the landing objects that it took, and those that were lost. */
export interface CommitInfo {
  readonly timestamp?: number;
  readonly operation?: string;
  readonly operationParameters?: Readonly<Record<string, unknown>>;
  readonly operationMetrics?: Readonly<Record<string, string>>;
  readonly isBlindAppend?: boolean;
  readonly engineInfo?: string;
  readonly txnId?: string;
  readonly sluice?: { readonly landed: readonly Landed[]; readonly lost: readonly Lost[] };
}

/** A landing object whose rows a commit made visible. */
export interface Landed {
  readonly key: string;
  readonly sha256: string;
  readonly rows: number;
}

/** A range that a commit passed over, because its object could not be used; the object lies under `setAside`. */
export interface Lost {
  readonly key: string;
  readonly reason: string;
  readonly setAside: string | undefined;
}

/** One line of a commit. */
export type Action =
  | { readonly protocol: Protocol }
  | { readonly metaData: MetaData }
  | { readonly add: AddFile }
  | { readonly remove: RemoveFile }
  | { readonly txn: Txn }
  | { readonly commitInfo: CommitInfo };

/** Fields that make an action what it is; without them it cannot be understood. */
const REQUIRED: Readonly<Record<string, Readonly<Record<string, "string" | "number" | "object">>>> = {
  protocol: { minReaderVersion: "number", minWriterVersion: "number" },
  metaData: { id: "string", schemaString: "string", partitionColumns: "object" },
  add: { path: "string", partitionValues: "object", size: "number" },
  remove: { path: "string" },
  txn: { appId: "string", version: "number" },
  commitInfo: {},
};

/**
 * Reads a commit: one action a line. Actions of other kinds are passed over, as the protocol wants it.
 *
 * Throws PipelineError "lake.log_damaged" that names the object and the line.
 */
export function parseActions(key: string, text: string): readonly Action[] {
  const actions: Action[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const [kind, body] = parseLine(line, `${key} line ${i + 1}`);
    const action = checkAction(kind, body, `${key} line ${i + 1}`);
    if (action !== undefined) actions.push(action);
  }
  return actions;
}

/** An action of a kind; undefined where the kind is not known. Throws "lake.log_damaged" that says where it stands. */
export function checkAction(kind: string, body: object, where: string): Action | undefined {
  const required = REQUIRED[kind];
  if (required === undefined) return undefined;
  for (const [name, type] of Object.entries(required))
    if (typeof Reflect.get(body, name) !== type || Reflect.get(body, name) === null)
      throw damaged(where, `${kind}.${name} is no ${type}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the fields that are read were just checked
  return { [kind]: body } as unknown as Action;
}

function parseLine(line: string, where: string): readonly [kind: string, body: object] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (cause) {
    throw damaged(where, "not JSON", cause);
  }
  const entries = typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : [];
  const [kind, body]: readonly unknown[] = entries[0] ?? [];
  if (entries.length !== 1 || typeof kind !== "string" || typeof body !== "object" || body === null)
    throw damaged(where, "not an object with one action");
  return [kind, body];
}

export const formatActions = (actions: readonly Action[]): Uint8Array =>
  new TextEncoder().encode(actions.map((action) => `${JSON.stringify(action)}\n`).join(""));

/** Part of a log that cannot be used. */
export const damaged = (where: string, what: string, cause?: unknown): PipelineError =>
  new PipelineError("lake.log_damaged", `${where}: ${what}`, {
    cause,
    hint: "The table's log was changed by hand or by a broken store. Restore the object from a backup of the lake.",
  });
