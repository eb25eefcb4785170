import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { ObjectInfo, ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { Workshop } from "./compact.ts";
import { concurrently } from "./concurrently.ts";
import type { DeltaLog } from "./delta-log.ts";
import { planVacuum, type Removable, type VacuumLimits } from "./vacuum-plan.ts";

/** Files that are deleted at once. */
const DELETES_MAX = 8;

/** Files after which the log is read again, in case that somebody has named one meanwhile. */
const CHECK_FILES = 500;

export interface VacuumChoice {
  readonly streams: readonly Stream[];
  /** Says what would go, and deletes nothing. */
  readonly dryRun?: boolean | undefined;
  /** False: what no commit names stays, because another process may be about to name it. */
  readonly orphans?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly say?: ((text: string) => void) | undefined;
}

export interface VacuumedTable {
  readonly table: Stream;
  /** Files that went, or would. */
  readonly files: readonly Removable[];
  readonly bytes: number;
  /** Files of older versions that stay until the retention is over. */
  readonly keptFiles: number;
  readonly keptBytes: number;
  /** Files that no commit names and that have not been seen for long enough. */
  readonly waitingOrphans: number;
}

export interface VacuumReport {
  readonly deleted: boolean;
  readonly tables: readonly VacuumedTable[];
}

/**
 * Deletes data files that no version within the retention needs: those that commits removed long ago, and orphans,
 * which no commit names.
 *
 * How old an orphan is no store says in the same way, and clocks differ: so it is written down in the lake when it was
 * seen first, and it goes when it is still without a commit a grace later. Only the holder of the lease deletes orphans:
 * a committer may put the very bytes of one again and name it. Each deletion may happen twice.
 */
export async function vacuum(
  workshop: Workshop,
  limits: VacuumLimits,
  { streams, dryRun = false, orphans = true, signal, say }: VacuumChoice,
): Promise<VacuumReport> {
  const tables: VacuumedTable[] = [];
  const { store, logs, clock } = workshop;
  for (const stream of streams) {
    if (signal?.aborted === true) break;
    const table = tablePrefix(stream);
    const seen = await readSeen(store, stream);
    // Listed first: what is committed meanwhile is then known to the log.
    const listed = await listTable(store, table);
    const { files, tombstones } = await logs[stream].refresh();
    const nowMs = Math.floor(clock.nowUs() / 1_000);
    const plan = planVacuum({ files, tombstones, listed, seen }, limits, nowMs);
    const going = plan.remove.filter(({ why }) => orphans || why === "removed");
    if (!dryRun) {
      await writeSeen(store, stream, { before: seen, after: plan.orphans });
      await deleteFiles(workshop, stream, { files: going, signal, say });
    }
    tables.push({
      table: stream,
      files: going,
      bytes: bytesOf(going),
      keptFiles: plan.kept.length,
      keptBytes: bytesOf(plan.kept),
      waitingOrphans: plan.orphans.size - going.filter(({ why }) => why === "orphan").length,
    });
  }
  return { deleted: !dryRun, tables };
}

const bytesOf = (files: readonly Removable[]): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

async function listTable(store: ObjectStore, table: string): Promise<readonly ObjectInfo[]> {
  const listed: ObjectInfo[] = [];
  for await (const { key, bytes } of store.list(table)) listed.push({ key: key.slice(table.length), bytes });
  return listed;
}

async function deleteFiles(
  { store, logs, requireHeld }: Workshop,
  stream: Stream,
  { files, signal, say }: { readonly files: readonly Removable[] } & Pick<VacuumChoice, "signal" | "say">,
): Promise<void> {
  for (let from = 0; from < files.length; from += CHECK_FILES) {
    if (signal?.aborted === true) return;
    requireHeld?.();
    const named = await activePaths(logs[stream]);
    const chunk = files.slice(from, from + CHECK_FILES).filter(({ path }) => !named.has(path));
    for await (const _ of concurrently(chunk, DELETES_MAX, ({ path }) =>
      store.delete(`${tablePrefix(stream)}${path}`),
    ));
    say?.(`vacuum ${stream}: ${Math.min(files.length, from + CHECK_FILES)} of ${files.length} files`);
  }
}

async function activePaths(log: DeltaLog): Promise<ReadonlySet<string>> {
  const { files } = await log.refresh();
  return new Set([...files.keys()].map((path) => decodeURIComponent(path)));
}

/** Readers of Delta tables pass over what begins with an underscore. */
const seenKey = (stream: Stream): string => `${tablePrefix(stream)}_sluice/orphans.json`;

/** When orphans were seen first; what cannot be read counts as never seen, so that they wait anew. */
async function readSeen(store: ObjectStore, stream: Stream): Promise<ReadonlyMap<string, number>> {
  const result = await store.get(seenKey(stream));
  if (result.state !== "found") return new Map();
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(result.object.body));
    const entries: readonly (readonly [string, unknown])[] =
      typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : [];
    return new Map(entries.filter((entry): entry is [string, number] => typeof entry[1] === "number"));
  } catch {
    return new Map();
  }
}

async function writeSeen(
  store: ObjectStore,
  stream: Stream,
  {
    before,
    after,
  }: { readonly before: ReadonlyMap<string, number>; readonly after: ReadonlyMap<string, number> },
): Promise<void> {
  if (before.size === after.size && [...after].every(([path, ms]) => before.get(path) === ms)) return;
  const body = new TextEncoder().encode(JSON.stringify(Object.fromEntries(after)));
  await store.put(seenKey(stream), body);
}
