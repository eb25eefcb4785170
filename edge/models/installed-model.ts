import { type BundleFiles, decodeBundle } from "@sluice/shared/codec/bundle-codec.ts";
import { BundleRefused } from "@sluice/shared/codec/bundle-refusal.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import type { Bundle } from "@sluice/shared/contract/bundle.ts";
import type { DesiredState, ModelVersion } from "@sluice/shared/contract/fleet.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { BundleFolder, Pointer, StoredBundle } from "./bundle-folder.ts";
import { type DownloadSource, fetchBundleFile } from "./download.ts";

/** Where the model that scores is held; `swap` throws a PipelineError and keeps the old one where the new is unfit. */
export interface ModelSlot {
  current(): ModelVersion | undefined;
  swap(bundle: Bundle | undefined): void;
}

export interface InstalledModelOptions {
  readonly folder: BundleFolder;
  readonly slot: ModelSlot;
  readonly publicKeys: readonly string[];
  readonly source: DownloadSource;
  readonly clock: Clock;
}

/** A model that should have been loaded, and why it was not. */
export interface Refused {
  readonly model: ModelVersion;
  readonly error: PipelineError;
}

/**
 * The model on this gateway's disk and in its slot, kept the same.
 *
 * A new one is downloaded and verified, written to disk, pointed at, and only then swapped in; whatever fails before
 * leaves the old one in both places. The one before it stays on disk as what to start from should the new one's files
 * be damaged.
 */
export class InstalledModel {
  readonly #options: InstalledModelOptions;
  #pointer: Pointer = { desiredRevision: 0 };
  /** Hash of the manifest of what is in the slot: a lake that was made anew can give an old number to a new model. */
  #manifestSha256: string | undefined;

  constructor(options: InstalledModelOptions) {
    this.#options = options;
  }

  /** The desired revision that was answered last, also before a restart. */
  get desiredRevision(): number {
    return this.#pointer.desiredRevision;
  }

  get sinceUs(): number | undefined {
    return this.#pointer.current?.sinceUs;
  }

  /**
   * Loads the current bundle from disk, or the previous one where that cannot be trusted any more. Returns those that
   * were refused. Throws PipelineError "models.pointer" or "models.disk" where it is not known what was current.
   */
  async load(): Promise<readonly Refused[]> {
    const pointer = await this.#options.folder.readPointer();
    this.#pointer = { desiredRevision: pointer.desiredRevision };
    if (pointer.current === undefined) {
      this.#pointer = pointer;
      return [];
    }
    const refused: Refused[] = [];
    for (const stored of [pointer.current, pointer.previous]) {
      if (stored === undefined) continue;
      const { model, version } = stored;
      try {
        const files = await this.#options.folder.read(stored);
        this.#options.slot.swap(this.#verify(files, stored));
        this.#manifestSha256 = sha256Hex(files.manifest);
        this.#pointer = stored === pointer.current ? pointer : { ...this.#pointer, current: stored };
        return refused;
      } catch (error) {
        if (!(error instanceof PipelineError)) throw error;
        refused.push({ model: { model, version }, error });
      }
    }
    return refused;
  }

  /**
   * Makes the desired model the one that runs. Returns whether that changed anything.
   *
   * Throws a PipelineError (of the store, the disk or the bundle) and leaves the old model running.
   */
  async install({ champion, revision }: DesiredState): Promise<boolean> {
    const { slot, folder } = this.#options;
    if (champion === undefined) {
      const changed = slot.current() !== undefined;
      await this.#switch(undefined, { ...this.#withoutCurrent(), desiredRevision: revision });
      this.#manifestSha256 = undefined;
      return changed;
    }
    const { source } = this.#options;
    const manifest = await fetchBundleFile(source, champion, "manifest");
    const manifestSha256 = sha256Hex(manifest);
    if (isSame(slot.current(), champion) && manifestSha256 === this.#manifestSha256) {
      await this.answer(revision);
      return false;
    }
    const files = {
      manifest,
      signature: await fetchBundleFile(source, champion, "signature"),
      weights: await fetchBundleFile(source, champion, "weights"),
    };
    const bundle = this.#verify(files, champion);
    const stored: StoredBundle = {
      ...champion,
      folder: await folder.write(files, champion),
      sinceUs: this.#options.clock.nowUs(),
    };
    await this.#switch(bundle, { ...this.#withoutCurrent(), desiredRevision: revision, current: stored });
    this.#manifestSha256 = manifestSha256;
    return true;
  }

  /** Removes from disk what is neither current nor previous. Throws PipelineError "models.disk". */
  prune(): Promise<void> {
    return this.#options.folder.prune(this.#pointer);
  }

  /** Notes that a wish was answered: met without a change, or refused. Throws PipelineError "models.disk". */
  async answer(revision: number): Promise<void> {
    if (revision === this.#pointer.desiredRevision) return;
    this.#pointer = { ...this.#pointer, desiredRevision: revision };
    await this.#options.folder.point(this.#pointer);
  }

  #verify(files: BundleFiles, expected: ModelVersion): Bundle {
    const bundle = decodeBundle(files, this.#options.publicKeys);
    if (isSame(bundle.manifest, expected)) return bundle;
    throw new BundleRefused(
      "identity.other",
      `it is ${bundle.manifest.model} ${bundle.manifest.version}, not ${expected.model} ${expected.version}`,
      "The registry was tampered with or copied by hand: register the model again.",
    );
  }

  /** What was current is previous now; without a current one the previous stays. */
  #withoutCurrent(): Pointer {
    const { current, previous } = this.#pointer;
    const before = current ?? previous;
    return {
      desiredRevision: this.#pointer.desiredRevision,
      ...(before === undefined ? {} : { previous: before }),
    };
  }

  async #switch(bundle: Bundle | undefined, pointer: Pointer): Promise<void> {
    const before = this.#pointer;
    await this.#point(pointer); // Durable from here: a restart loads the new one.
    try {
      this.#options.slot.swap(bundle);
    } catch (error) {
      await this.#point(before);
      throw error;
    }
  }

  async #point(pointer: Pointer): Promise<void> {
    await this.#options.folder.point(pointer);
    this.#pointer = pointer;
  }
}

const isSame = (a: ModelVersion | undefined, b: ModelVersion): boolean =>
  a?.model === b.model && a.version === b.version;
