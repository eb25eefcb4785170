import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

/** Digits of a version in the log's file names (Delta protocol, "Delta Log Entries"). */
const VERSION_DIGITS = 20;

/** The names of a log's objects. `prefix` ends with `_delta_log/`. */
const padded = (version: number): string => String(version).padStart(VERSION_DIGITS, "0");
export const commitKey = (prefix: string, version: number): string => `${prefix}${padded(version)}.json`;
export const checkpointKey = (prefix: string, version: number): string =>
  `${prefix}${padded(version)}.checkpoint.parquet`;
export const lastCheckpointKey = (prefix: string): string => `${prefix}_last_checkpoint`;

/** A whole checkpoint, in one object or in parts. */
export interface CheckpointKeys {
  readonly version: number;
  readonly keys: readonly string[];
}

/** What lies in a log's folder, in the order of versions. */
export interface Listing {
  readonly commits: readonly number[];
  readonly checkpoints: readonly CheckpointKeys[];
}

const COMMIT = /^(\d{20})\.json$/;
const CHECKPOINT = /^(\d{20})\.checkpoint\.(?:(\d{10})\.(\d{10})\.)?parquet$/;

/** Lists a log from a version on. Checkpoints of which parts are missing, and names that are not known, are left out. */
export async function listLog(store: ObjectStore, prefix: string, from = 0): Promise<Listing> {
  const commits: number[] = [];
  const found = new Map<string, { version: number; parts: number; keys: string[] }>();
  // What is called after a version comes behind its bare number.
  for await (const { key } of store.list(prefix, { startAfter: `${prefix}${padded(from)}` })) {
    const name = key.slice(prefix.length);
    const commit = COMMIT.exec(name)?.[1];
    if (commit !== undefined) commits.push(Number(commit));
    const [, version, , parts = "1"] = CHECKPOINT.exec(name) ?? [];
    if (version === undefined) continue;
    const checkpoint = found.get(version + parts) ?? {
      version: Number(version),
      parts: Number(parts),
      keys: [],
    };
    checkpoint.keys.push(key);
    found.set(version + parts, checkpoint);
  }
  return {
    commits,
    checkpoints: [...found.values()]
      .filter(({ keys, parts }) => keys.length === parts)
      .map(({ version, keys }) => ({ version, keys })),
  };
}

/** How a version is read: a checkpoint, if there is one, and the commits behind it. */
export interface ReadPlan {
  readonly checkpoint: CheckpointKeys | undefined;
  readonly commits: readonly number[];
}

/** Where a plan fails: the first commit that is missing. */
export interface Hole {
  readonly missing: number;
  /** Nothing older is there: the log was cleaned up to here, or it lost its beginning. */
  readonly atStart: boolean;
}

/** Plans how a version is read, by default the newest; without the checkpoints that were found unusable. */
export function planRead(
  { commits, checkpoints }: Listing,
  through?: number,
  unusable: ReadonlySet<string> = new Set(),
): ReadPlan | Hole {
  const usable = checkpoints.filter(
    ({ version, keys }) => !keys.some((key) => unusable.has(key)) && version <= (through ?? Infinity),
  );
  const checkpoint = usable.at(-1);
  const start = checkpoint?.version ?? -1;
  const behind = commits.filter((version) => version > start && version <= (through ?? Infinity));
  const hole = behind.findIndex((version, i) => version !== start + 1 + i);
  if (hole >= 0) return { missing: start + 1 + hole, atStart: hole === 0 && checkpoint === undefined };
  const reached = behind.at(-1) ?? start;
  if (through !== undefined && reached < through)
    return { missing: reached + 1, atStart: checkpoint === undefined && behind.length === 0 };
  return { checkpoint, commits: behind };
}

export const logHole = (prefix: string, version: number): PipelineError =>
  new PipelineError("lake.log_hole", `${commitKey(prefix, version)} is missing, later commits are there`, {
    hint: "Restore the object from a backup of the lake; committing on top of the hole would lose rows.",
  });
