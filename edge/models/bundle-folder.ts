import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { BundleFiles } from "@sluice/shared/codec/bundle-codec.ts";
import { BUNDLE_FILES } from "@sluice/shared/contract/bundle.ts";
import { type ModelVersion, modelVersionSchema } from "@sluice/shared/contract/fleet.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { syncFolder, writeSynced } from "@sluice/shared/runtime/synced-file.ts";

/** A bundle on disk: `folder` is its folder's name, `sinceUs` when it was loaded first. */
export interface StoredBundle extends ModelVersion {
  readonly folder: string;
  readonly sinceUs: number;
}

/** What the gateway runs and what it ran before. */
export interface Pointer {
  readonly desiredRevision: number;
  readonly current?: StoredBundle;
  readonly previous?: StoredBundle;
}

const POINTER_FILE = "models.json";
const FORMAT_VERSION = 1;
const TEMPORARY = "tmp-";
const FOLDER = /^[a-z][a-z0-9_-]*-\d+-[0-9a-f]{8}$/;

/**
 * The gateway's bundles on disk: one folder per bundle, and a small file that points at the current and the previous.
 *
 * Both are written beside their place, synced, and renamed into it, so that a crash leaves the old or the new whole.
 * Every failure of the disk is a PipelineError "models.disk".
 */
export class BundleFolder {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** What was pointed at last; nothing before the first time. Throws PipelineError "models.pointer" on rubbish. */
  async readPointer(): Promise<Pointer> {
    let text: string;
    try {
      text = await readFile(join(this.#dir, POINTER_FILE), "utf8");
    } catch (error) {
      if (isMissing(error)) return { desiredRevision: 0 };
      throw diskError(`read ${POINTER_FILE}`, error);
    }
    const pointer = parsePointer(text);
    if (pointer !== undefined) return pointer;
    throw new PipelineError("models.pointer", `${join(this.#dir, POINTER_FILE)} cannot be read`, {
      hint: "Nothing to do: the model is downloaded again as soon as the lake can be reached.",
    });
  }

  async read(stored: StoredBundle): Promise<BundleFiles> {
    const file = (name: string): Promise<Uint8Array> => readFile(join(this.#dir, stored.folder, name));
    return this.#guard(`read the bundle ${stored.folder}`, undefined, async () => ({
      manifest: await file(BUNDLE_FILES.manifest),
      weights: await file(BUNDLE_FILES.weights),
      signature: await file(BUNDLE_FILES.signature),
    }));
  }

  /** Writes a bundle's files into a folder of their own and returns its name. Durable when it resolves. */
  async write(files: BundleFiles, { model, version }: ModelVersion): Promise<string> {
    const id = newUuid().slice(0, 8);
    const temporary = join(this.#dir, `${TEMPORARY}${id}`);
    const folder = `${model}-${version}-${id}`;
    await this.#guard(`write the bundle ${folder}`, temporary, async () => {
      await mkdir(temporary, { recursive: true });
      for (const name of ["manifest", "weights", "signature"] as const)
        await writeSynced(join(temporary, BUNDLE_FILES[name]), files[name]);
      await syncFolder(temporary);
      await rename(temporary, join(this.#dir, folder));
      await syncFolder(this.#dir);
    });
    return folder;
  }

  /** Makes the pointer say so. Durable when it resolves. */
  async point(pointer: Pointer): Promise<void> {
    const temporary = join(this.#dir, `${TEMPORARY}${newUuid().slice(0, 8)}`);
    await this.#guard(`write ${POINTER_FILE}`, temporary, async () => {
      await mkdir(this.#dir, { recursive: true });
      const text = JSON.stringify({ formatVersion: FORMAT_VERSION, ...pointer });
      await writeSynced(temporary, new TextEncoder().encode(text));
      await rename(temporary, join(this.#dir, POINTER_FILE));
      await syncFolder(this.#dir);
    });
  }

  /** Removes every bundle that the pointer does not name, and what a crash left half written. */
  async prune(pointer: Pointer): Promise<void> {
    const kept = new Set([pointer.current?.folder, pointer.previous?.folder]);
    await this.#guard("remove old bundles", undefined, async () => {
      for (const name of await readdir(this.#dir))
        if (name.startsWith(TEMPORARY) || (FOLDER.test(name) && !kept.has(name)))
          await rm(join(this.#dir, name), { recursive: true, force: true });
    });
  }

  /** Runs `work`; when it fails, removes the temporary files, so that tries on a full disk do not fill it further. */
  async #guard<T>(what: string, temporary: string | undefined, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // What cannot be removed now goes with the next prune.
      if (temporary !== undefined)
        await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
      throw diskError(what, error);
    }
  }
}

function parsePointer(text: string): Pointer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const desiredRevision: unknown = Reflect.get(value, "desiredRevision");
  if (Reflect.get(value, "formatVersion") !== FORMAT_VERSION || !isCount(desiredRevision)) return undefined;
  const current = parseStored(Reflect.get(value, "current"));
  const previous = parseStored(Reflect.get(value, "previous"));
  return {
    desiredRevision,
    ...(current === undefined ? {} : { current }),
    ...(previous === undefined ? {} : { previous }),
  };
}

function parseStored(value: unknown): StoredBundle | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { folder, sinceUs, ...rest } = { folder: undefined, sinceUs: undefined, ...value };
  const version = modelVersionSchema.safeParse(rest);
  if (!version.success || typeof folder !== "string" || !FOLDER.test(folder) || !isCount(sinceUs))
    return undefined;
  return { ...version.data, folder, sinceUs };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

function diskError(what: string, cause: unknown): PipelineError {
  return new PipelineError("models.disk", `cannot ${what}`, {
    cause,
    hint: "Check the free space and the rights of the gateway's buffer folder.",
  });
}
