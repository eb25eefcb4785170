import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "./folder-errors.ts";
import { compareKeys, RESERVED_LEVEL } from "./key.ts";
import type { ObjectInfo } from "./object-store.ts";

/** How many files are asked for their size at once: hides the latency of network file systems. */
const STATS_AT_ONCE = 32;

interface Entry {
  /** The key of a file; that of a folder ends in a slash. */
  readonly key: string;
  readonly folder: boolean;
}

/** The files below `root` as objects, in key order; whole folders that cannot match are not opened. */
export async function* listFolder(
  root: string,
  prefix: string,
  startAfter: string,
): AsyncIterable<ObjectInfo> {
  yield* walk({ root, prefix, startAfter }, prefix.slice(0, prefix.lastIndexOf("/") + 1));
}

interface Walk {
  readonly root: string;
  readonly prefix: string;
  readonly startAfter: string;
}

async function* walk(options: Walk, folder: string): AsyncIterable<ObjectInfo> {
  const entries = (await readEntries(options.root, folder)).filter((entry) => wanted(options, entry));
  for (let i = 0; i < entries.length;) {
    const files: string[] = [];
    for (; files.length < STATS_AT_ONCE && entries[i]?.folder === false; i++)
      files.push(entries[i]?.key ?? "");
    const infos = await Promise.all(files.map((key) => describeFile(options.root, key)));
    for (const info of infos) if (info !== undefined) yield info;
    const next = entries[i];
    if (next?.folder !== true) continue;
    yield* walk(options, next.key);
    i += 1;
  }
}

async function readEntries(root: string, folder: string): Promise<Entry[]> {
  try {
    const found = await readdir(join(root, folder), { withFileTypes: true });
    return found
      .filter(
        (entry) =>
          (entry.isFile() || entry.isDirectory()) && !(folder === "" && entry.name === RESERVED_LEVEL),
      )
      .map((entry) => ({
        key: `${folder}${entry.name}${entry.isDirectory() ? "/" : ""}`,
        folder: entry.isDirectory(),
      }))
      .sort((a, b) => compareKeys(a.key, b.key));
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ENOTDIR") return [];
    throw cause;
  }
}

function wanted({ prefix, startAfter }: Walk, entry: Entry): boolean {
  if (!entry.folder) return entry.key.startsWith(prefix) && compareKeys(entry.key, startAfter) > 0;
  if (!entry.key.startsWith(prefix) && !prefix.startsWith(entry.key)) return false;
  return compareKeys(entry.key, startAfter) > 0 || startAfter.startsWith(entry.key);
}

async function describeFile(root: string, key: string): Promise<ObjectInfo | undefined> {
  try {
    return { key, bytes: (await stat(join(root, key))).size };
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined; // Deleted since it was listed.
    throw cause;
  }
}
