import { mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { concurrently } from "./concurrently.ts";

/** A file of the lake and its place in the cache. What lies under one place never changes. */
export interface CacheFile {
  readonly key: string;
  readonly bytes: number;
  /** A relative path: letters, digits, `=`, `-`, `_`, `.` and slashes. */
  readonly place: string;
}

/** Copies that stay where they are until they are released. */
export interface Lease {
  /** Absolute paths, in the order of the files that were asked for. */
  readonly paths: readonly string[];
  release(): void;
}

/** Fetches under way at once: enough to hide the store's latency, few enough to hold the files in memory. */
const FETCHES_MAX = 4;

/** Share of the limit that eviction leaves, so that it is not needed at every fetch. */
const EVICTION_SHARE = 0.9;

/** What is left of a fetch or of a spill after a crash is removed when it is this old. */
const LEFTOVER_AGE_US = 86_400_000_000;

/** When every copy was changed last, as its file says: in 2000. */
const UNCHANGED_S = 946_684_800;

const PARTIAL = ".partial";

interface CacheOptions {
  readonly store: ObjectStore;
  readonly dir: string;
  readonly bytesMax: number;
  readonly clock: Clock;
}

/**
 * Local copies of table files: what was used least recently goes first when there are too many bytes.
 *
 * A copy appears whole or not at all, and several processes may share the folder: one that misses a copy which
 * another one evicted fetches it again. The folder can be deleted while nothing runs.
 *
 * Errors: those of the store, "lake.file_missing" and "lake.file_damaged" where the lake does not hold what its log
 * says, "lake.cache_too_small" where one question needs more than the cache may keep, "lake.cache_unusable".
 */
export class FileCache {
  /** Where the copies are; absolute. */
  readonly filesDir: string;
  /** Where this process may put what does not fit into memory; absolute. */
  readonly spillDir: string;
  /** Where files of this process may be put for a while; absolute. */
  readonly workDir: string;
  readonly #options: CacheOptions;
  readonly #leases = new Map<string, number>();
  readonly #fetching = new Map<string, Promise<void>>();
  /** Bytes in the folder as far as this process knows; undefined before the first look. */
  #bytes: number | undefined;

  static async open(options: CacheOptions): Promise<FileCache> {
    const cache = new FileCache(options);
    try {
      await mkdir(cache.filesDir, { recursive: true });
      await cache.#removeLeftovers();
      await mkdir(cache.workDir, { recursive: true });
    } catch (cause) {
      throw new PipelineError("lake.cache_unusable", `cannot use the cache folder ${options.dir}`, {
        cause,
        hint: "Set tables.cacheDir to a folder that this user may write.",
      });
    }
    return cache;
  }

  private constructor(options: CacheOptions) {
    this.#options = options;
    const dir = resolve(options.dir);
    this.filesDir = join(dir, "tables");
    this.spillDir = join(dir, "spill", newUuid());
    this.workDir = join(this.spillDir, "work");
  }

  /** Copies of all files, fetched where they are missing; `fetched` hears how many are there, and may throw. */
  async lease(
    files: readonly CacheFile[],
    fetched: (count: number) => void = () => undefined,
  ): Promise<Lease> {
    const needed = files.reduce((sum, file) => sum + file.bytes, 0);
    if (needed > this.#options.bytesMax)
      throw new PipelineError(
        "lake.cache_too_small",
        `the question needs ${needed} bytes of table files, the cache may keep ${this.#options.bytesMax}`,
        { hint: "Raise tables.cacheBytesMax." },
      );
    const paths = files.map((file) => join(this.filesDir, file.place));
    for (const path of paths) this.#leases.set(path, (this.#leases.get(path) ?? 0) + 1);
    let held = true;
    const release = (): void => {
      if (held) for (const path of paths) this.#release(path);
      held = false;
    };
    try {
      let count = 0;
      for await (const _ of concurrently(files, FETCHES_MAX, (file) => this.#ensure(file))) fetched(++count);
      await this.#evict();
    } catch (error) {
      release();
      throw error;
    }
    return { paths, release };
  }

  /** Removes what only this process used. The copies stay for the next one. */
  async close(): Promise<void> {
    await rm(this.spillDir, { recursive: true, force: true });
  }

  #release(path: string): void {
    const count = (this.#leases.get(path) ?? 0) - 1;
    if (count > 0) this.#leases.set(path, count);
    else this.#leases.delete(path);
  }

  async #ensure(file: CacheFile): Promise<void> {
    const path = join(this.filesDir, file.place);
    if (await this.#touch(path)) return;
    const underWay = this.#fetching.get(path);
    if (underWay !== undefined) return underWay;
    const fetched = this.#fetch(file, path).finally(() => this.#fetching.delete(path));
    this.#fetching.set(path, fetched);
    return fetched;
  }

  /** Notes that a copy is used now, by its access time; false where there is none. */
  async #touch(path: string): Promise<boolean> {
    const nowS = this.#options.clock.nowUs() / 1_000_000;
    try {
      // A copy never changes, and the engine trusts what it knows of a file while the time of its change is the same.
      await utimes(path, nowS, UNCHANGED_S);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async #fetch(file: CacheFile, path: string): Promise<void> {
    const result = await this.#options.store.get(file.key);
    if (result.state !== "found")
      throw new PipelineError("lake.file_missing", `${file.key} is in the table's log and not in the lake`, {
        hint: "Restore the object from a backup of the lake.",
      });
    const { body } = result.object;
    if (body.byteLength !== file.bytes)
      throw new PipelineError(
        "lake.file_damaged",
        `${file.key} has ${body.byteLength} bytes, the table's log says ${file.bytes}`,
        { hint: "Restore the object from a backup of the lake." },
      );
    await mkdir(dirname(path), { recursive: true });
    const partial = `${path}.${newUuid()}${PARTIAL}`;
    const handle = await open(partial, "wx");
    try {
      await handle.writeFile(body);
      // Without it a power loss could leave a copy of the right name and size, full of zeros.
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, path);
    await this.#touch(path);
    if (this.#bytes !== undefined) this.#bytes += file.bytes;
  }

  /** Removes copies that nobody here uses, least recently used first, until there are few enough bytes. */
  async #evict(): Promise<void> {
    const { bytesMax } = this.#options;
    if (this.#bytes !== undefined && this.#bytes <= bytesMax) return;
    const copies = (await filesBelow(this.filesDir)).filter(({ path }) => !path.endsWith(PARTIAL));
    let bytes = copies.reduce((sum, copy) => sum + copy.bytes, 0);
    if (bytes > bytesMax)
      for (const copy of copies.sort((a, b) => a.usedAtMs - b.usedAtMs)) {
        if (bytes <= bytesMax * EVICTION_SHARE) break;
        if (this.#leases.has(copy.path)) continue;
        await rm(copy.path, { force: true });
        bytes -= copy.bytes;
      }
    this.#bytes = bytes;
  }

  async #removeLeftovers(): Promise<void> {
    const oldMs = (this.#options.clock.nowUs() - LEFTOVER_AGE_US) / 1_000;
    for (const file of await filesBelow(this.filesDir))
      if (file.path.endsWith(PARTIAL) && file.usedAtMs < oldMs) await rm(file.path, { force: true });
    const spills = dirname(this.spillDir);
    for (const name of await namesIn(spills)) {
      const found = await stat(join(spills, name)).catch(() => undefined);
      if (found !== undefined && found.mtimeMs < oldMs)
        await rm(join(spills, name), { recursive: true, force: true });
    }
  }
}

interface Copy {
  readonly path: string;
  readonly bytes: number;
  readonly usedAtMs: number;
}

async function filesBelow(dir: string): Promise<Copy[]> {
  const copies: Copy[] = [];
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    // Another process may have evicted it meanwhile.
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) copies.push({ path, bytes: found.size, usedAtMs: found.atimeMs });
  }
  return copies;
}

async function namesIn(dir: string): Promise<readonly string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";
