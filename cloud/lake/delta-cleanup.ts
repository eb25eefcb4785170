import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { type CheckpointKeys, commitKey, type Listing } from "./delta-listing.ts";
import type { DeltaReader } from "./delta-reader.ts";

/** Objects that one clean-up deletes: a commit must not wait for hours. What is left follows with the next. */
const DELETES_MAX = 1_000;

export interface CleanUp {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly reader: DeltaReader;
  /** Versions that were the newest after this time, in milliseconds since the epoch, can be read for ever after. */
  readonly keepFromMs: number;
}

/**
 * Deletes the commits and checkpoints that no version since `keepFromMs` needs: what is before the newest checkpoint
 * that is older than it, once that one was read and found whole. Oldest first, so that a log never gets a hole.
 *
 * Returns how many objects it deleted.
 */
export async function cleanUpLog({ store, prefix, reader, keepFromMs }: CleanUp): Promise<number> {
  const listing = await reader.list();
  const base = await newestBefore(listing.checkpoints, keepFromMs, reader);
  if (base === undefined) return 0;
  const keys = planCleanUp(prefix, listing, base.version).slice(0, DELETES_MAX);
  if (keys.length === 0 || !(await reader.isUsable(base))) return 0;
  for (const key of keys) await store.delete(key);
  return keys.length;
}

/** The objects before a version, in its order; of one version the checkpoint goes last. */
export function planCleanUp(
  prefix: string,
  { commits, checkpoints }: Listing,
  before: number,
): readonly string[] {
  return [...commits.map((version) => ({ version, keys: [commitKey(prefix, version)] })), ...checkpoints]
    .filter(({ version }) => version < before)
    .toSorted((a, b) => a.version - b.version)
    .flatMap(({ keys }) => keys);
}

/** The newest checkpoint whose commit was made before a time. Their times only grow, so few commits are read. */
async function newestBefore(
  checkpoints: readonly CheckpointKeys[],
  timeMs: number,
  reader: DeltaReader,
): Promise<CheckpointKeys | undefined> {
  let found: CheckpointKeys | undefined;
  let [from, to] = [0, checkpoints.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const checkpoint = checkpoints[middle];
    const committedAtMs = checkpoint === undefined ? undefined : await reader.statedTime(checkpoint.version);
    if (committedAtMs !== undefined && committedAtMs < timeMs) [found, from] = [checkpoint, middle + 1];
    else to = middle;
  }
  return found;
}
