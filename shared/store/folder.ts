import { createHash } from "node:crypto";
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { PipelineError } from "../runtime/errors.ts";
import { newUuid } from "../runtime/random.ts";
import { errnoOf, fileError } from "./folder-errors.ts";
import { listFolder } from "./folder-list.ts";
import { checkKey, checkMetadata, checkPrefix, invalidKey, RESERVED_LEVEL } from "./key.ts";
import type { GetOptions, GetResult, ObjectInfo, ObjectStore, PutOptions } from "./object-store.ts";
import { syncFolder, writeSynced } from "../runtime/synced-file.ts";

/** How old a temporary file must be before it counts as left by a killed writer: longer than any put takes. */
const LEFTOVER_AGE_MS = 3_600_000;

/** How often a reader starts over because the object was replaced under it. */
const READ_ATTEMPTS_MAX = 10;

/** How file calls fail where a name on the way to the object, or its own, is of the other kind. */
const NAME_TAKEN: readonly string[] = ["ENOTDIR", "EISDIR", "EEXIST", "ENOTEMPTY", "ENAMETOOLONG"];

interface Snapshot {
  readonly body: Uint8Array;
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * A folder as a store: each object is a file at its key, so that other programs can read tables as they are.
 *
 * A body is written to a temporary file, synced, and then given its name by link(2) (create only: the kernel lets one
 * of any number of processes win) or rename(2) (replace); the folders on the way are synced before the put resolves.
 * Metadata lies in `.sluice/meta`, named by the key's and the body's hash and written before the body appears, so
 * that an object is never seen without it. The ETag is a hash of the body: `head` and ranges read the whole file.
 *
 * A key cannot be both an object and a folder of others ("a" and "a/b"): "store.invalid_key". Symbolic links are not
 * listed. Two writers that put the same bytes at the same key at once share the metadata of one of them.
 */
export class FolderStore implements ObjectStore {
  readonly #root: string;
  #opened: Promise<void> | undefined;
  /** Folders whose entries up to the root are known to be synced. */
  readonly #syncedFolders = new Set<string>();

  /** Nothing is asked of the folder before the first operation, so that a gateway starts while it is away. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Makes the folder where only its last level is missing, and clears away what killed writers left; once. */
  #open(): Promise<void> {
    this.#opened ??= this.#prepare().catch((cause: unknown) => {
      this.#opened = undefined;
      throw fileError(cause, `open the lake's folder ${this.#root}`);
    });
    return this.#opened;
  }

  async #prepare(): Promise<void> {
    await mkdir(this.#root).catch(ignoreExisting);
    await mkdir(this.#own("tmp"), { recursive: true });
    await mkdir(this.#own("meta"), { recursive: true });
    await this.#syncFolders(this.#own("meta"));
    await this.#clearLeftovers();
  }

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<"created" | "exists"> {
    checkKey(key);
    const metadata = options.metadata ?? {};
    checkMetadata(metadata);
    await this.#open();
    const temporary = this.#own("tmp", newUuid());
    try {
      // The cheap answer, and one that leaves the metadata of what is there alone; link(2) decides below.
      if (options.ifAbsent === true && (await isObject(this.#path(key)))) return "exists";
      await writeSynced(temporary, body);
      const replaced = options.ifAbsent === true ? undefined : await this.#snapshot(key);
      const etag = etagOf(body);
      await this.#writeMetadata(key, etag, metadata);
      const result = await this.#name(temporary, key, options.ifAbsent === true);
      if (replaced !== undefined && replaced.etag !== etag)
        await rm(this.#metadataPath(key, replaced.etag), { force: true });
      return result;
    } catch (cause) {
      throw this.#error(cause, `put ${key}`, key);
    } finally {
      await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    const found = await this.#read(key);
    if (found === undefined) return { state: "missing" };
    if (found.etag === options.unlessEtag) return { state: "unchanged" };
    const { start, end } = options.range ?? { start: 0, end: found.body.byteLength };
    return { state: "found", object: { ...found, body: found.body.slice(start, end) } };
  }

  async head(key: string): ReturnType<ObjectStore["head"]> {
    const found = await this.#read(key);
    if (found === undefined) return undefined;
    return { bytes: found.body.byteLength, etag: found.etag, metadata: found.metadata };
  }

  async *list(prefix: string, options: { readonly startAfter?: string } = {}): AsyncIterable<ObjectInfo> {
    checkPrefix(prefix);
    await this.#open();
    try {
      await this.#requireRoot();
      yield* listFolder(this.#root, prefix, options.startAfter ?? "");
    } catch (cause) {
      throw this.#error(cause, `list ${prefix}`, prefix);
    }
  }

  async delete(key: string): Promise<void> {
    const found = await this.#read(key);
    if (found === undefined) return;
    const path = this.#path(key);
    try {
      await rm(path, { force: true });
      await syncFolder(dirname(path));
      await rm(this.#metadataPath(key, found.etag), { force: true });
    } catch (cause) {
      throw this.#error(cause, `delete ${key}`, key);
    }
  }

  async #read(key: string): Promise<Snapshot | undefined> {
    checkKey(key);
    await this.#open();
    try {
      const found = await this.#snapshot(key);
      if (found === undefined) await this.#requireRoot();
      return found;
    } catch (cause) {
      throw this.#error(cause, `get ${key}`, key);
    }
  }

  /** Body and metadata that belong together, although writers and deleters may be at work. */
  async #snapshot(key: string): Promise<Snapshot | undefined> {
    const path = this.#path(key);
    for (let attempt = 1; ; attempt++) {
      const file = await openObject(path);
      if (file === undefined) return undefined;
      try {
        const opened = await file.stat();
        const body = plainBytes(await file.readFile());
        const etag = etagOf(body);
        const metadata = await readMetadata(this.#metadataPath(key, etag));
        if (metadata !== undefined) return { body, etag, metadata };
        const now = await stat(path).catch(() => undefined);
        // No metadata is only the truth of an object that is still there; otherwise it went while we read.
        if (now?.ino === opened.ino && now.dev === opened.dev) return { body, etag, metadata: {} };
        if (attempt >= READ_ATTEMPTS_MAX) return { body, etag, metadata: {} };
      } finally {
        await file.close();
      }
    }
  }

  async #writeMetadata(key: string, etag: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    const path = this.#metadataPath(key, etag);
    if (Object.keys(metadata).length === 0) {
      await rm(path, { force: true });
      return;
    }
    const temporary = this.#own("tmp", newUuid());
    await writeSynced(temporary, Buffer.from(JSON.stringify(metadata)));
    await mkdir(dirname(path)).catch(ignoreExisting);
    await rename(temporary, path);
    await this.#syncFolders(dirname(path));
  }

  /** The commit point: the temporary file gets the object's name, and the name is on disk when this resolves. */
  async #name(temporary: string, key: string, ifAbsent: boolean): Promise<"created" | "exists"> {
    const path = this.#path(key);
    const folder = dirname(path);
    await this.#requireRoot();
    const made = await mkdir(folder, { recursive: true });
    if (made !== undefined) this.#syncedFolders.delete(folder);
    try {
      await (ifAbsent ? link(temporary, path) : rename(temporary, path));
    } catch (cause) {
      if (!ifAbsent || errnoOf(cause) !== "EEXIST") throw cause;
      if ((await stat(path).catch(() => undefined))?.isDirectory() === true)
        throw invalidKey(key, "it is a folder of other objects", cause);
      return "exists";
    }
    await this.#syncFolders(folder);
    return "created";
  }

  /** Syncs the folder, and once per process those above it up to the root, whoever made them. */
  async #syncFolders(folder: string): Promise<void> {
    await syncFolder(folder);
    if (this.#syncedFolders.has(folder)) return;
    for (let above = folder; relative(this.#root, above) !== "";) {
      above = dirname(above);
      await syncFolder(above);
    }
    this.#syncedFolders.add(folder);
  }

  /** Old by the file system's own clock, which a network file system does not share with this machine. */
  async #clearLeftovers(): Promise<void> {
    const folder = this.#own("tmp");
    const marker = join(folder, newUuid());
    await writeFile(marker, "");
    const nowMs = (await stat(marker)).mtimeMs;
    await rm(marker);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const info = await stat(path).catch(() => undefined);
      if (info !== undefined && nowMs - info.mtimeMs > LEFTOVER_AGE_MS) await rm(path, { force: true });
    }
  }

  /** An unmounted folder looks empty; that must not read as "no such object". */
  async #requireRoot(): Promise<void> {
    await stat(this.#own("tmp"));
  }

  #error(cause: unknown, action: string, key: string): Error {
    const code = errnoOf(cause);
    if (code !== undefined && NAME_TAKEN.includes(code))
      return invalidKey(key, "an object and a folder of objects would have the same name", cause);
    return fileError(cause, `${action} in ${this.#root}`);
  }

  #own(...levels: readonly string[]): string {
    return join(this.#root, RESERVED_LEVEL, ...levels);
  }

  #path(key: string): string {
    return join(this.#root, key.replaceAll("/", sep));
  }

  #metadataPath(key: string, etag: string): string {
    const name = createHash("sha256").update(key).digest("hex");
    return this.#own("meta", name.slice(0, 2), `${name}-${etag}.json`);
  }
}

const etagOf = (body: Uint8Array): string => createHash("sha256").update(body).digest("hex").slice(0, 32);

const plainBytes = (buffer: Buffer): Uint8Array =>
  new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);

async function openObject(path: string): Promise<FileHandle | undefined> {
  try {
    const file = await open(path, "r");
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ENOTDIR") return undefined;
    throw cause;
  }
}

async function isObject(path: string): Promise<boolean> {
  const file = await openObject(path);
  await file?.close();
  return file !== undefined;
}

async function readMetadata(path: string): Promise<Record<string, string> | undefined> {
  try {
    const parsed: unknown = parseJson(await readFile(path, "utf8"), path);
    const entries = typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : [];
    return Object.fromEntries(
      entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"),
    );
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PipelineError("store.unavailable", `the metadata file ${path} is damaged`, {
      cause,
      hint: "Restore it from a copy of the lake, or remove it and with it the object's metadata.",
    });
  }
}

function ignoreExisting(cause: unknown): void {
  if (errnoOf(cause) !== "EEXIST") throw cause;
}
