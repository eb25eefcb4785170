import {
  type BundleFiles,
  decodeBundle,
  describeWeights,
  encodeBundle,
  parseManifest,
  requireFit,
} from "@sluice/shared/codec/bundle-codec.ts";
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { keyId, signManifest } from "@sluice/shared/codec/signature.ts";
import { type AliasEntry, aliasEntrySchema, PREVIOUS } from "@sluice/shared/contract/alias.ts";
import {
  BUNDLE_FILES,
  BUNDLE_FORMAT_VERSION,
  type Bundle,
  type BundleManifest,
} from "@sluice/shared/contract/bundle.ts";
import { registryPrefix, versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { AliasHistory } from "./alias-history.ts";

/** What training hands over; the registry adds what only it knows. */
export type BundleDraft = Omit<
  BundleManifest,
  "formatVersion" | "model" | "version" | "viewHash" | "weights"
>;

/** A version as its manifest tells it; `load` alone verifies it. */
export type RegisteredVersion =
  | { readonly state: "registered"; readonly version: number; readonly manifest: BundleManifest }
  | { readonly state: "unreadable"; readonly version: number; readonly reason: string };

export interface RegistryOptions {
  readonly store: ObjectStore;
  readonly model: string;
  /** Needed to register only. */
  readonly privateKeyPem?: string;
  readonly publicKeysPem: readonly string[];
  readonly clock: Clock;
}

/** Writers that may take the number that we wanted before we give up: far more than train one model at once. */
const RACES_MAX = 100;

/** Six digits in a key: listing order is numeric order up to here. */
const VERSION_MAX = 999_999;

/**
 * The versions of one model, immutable and signed, and the history of its aliases.
 *
 * A version exists once its manifest does, which is put last: a crash before leaves a number that is never used.
 */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #aliases: AliasHistory;

  private constructor(options: RegistryOptions) {
    this.#options = options;
    this.#aliases = new AliasHistory(options.store, options.model);
  }

  /** Reads the alias history once. Throws PipelineError "keys.invalid", "registry.damaged" or of the store. */
  static async open(options: RegistryOptions): Promise<Registry> {
    for (const pem of options.publicKeysPem) keyId(pem);
    const registry = new Registry(options);
    await registry.history();
    return registry;
  }

  /**
   * Checks, numbers, signs and stores a model as the next version, and returns its number.
   *
   * Throws PipelineError "bundle.refused" where the model cannot score, "registry.no_key", "keys.invalid",
   * "registry.busy", or of the store. What was registered can also be loaded: the signature is checked before.
   */
  async register(draft: BundleDraft, weights: Float32Array): Promise<number> {
    const { model } = this.#options;
    const first = (await this.#lastNumber()) + 1;
    for (let version = first; version < first + RACES_MAX && version <= VERSION_MAX; version++)
      if (await this.#putVersion(version, this.#sign({ draft, weights, version }))) return version;
    throw new PipelineError("registry.busy", `no number from ${first} on was free for ${model}`, {
      hint: "Find out who else registers versions of this model; only one learning loop should.",
    });
  }

  /** The bundle of a version, verified. Throws PipelineError "registry.missing", "bundle.refused" or of the store. */
  async load(version: number): Promise<Bundle> {
    const { model, publicKeysPem } = this.#options;
    const bundle = decodeBundle(
      {
        manifest: await this.#get(version, "manifest"),
        signature: await this.#get(version, "signature"),
        weights: await this.#get(version, "weights"),
      },
      publicKeysPem,
    );
    const { manifest } = bundle;
    if (manifest.model === model && manifest.version === version) return bundle;
    throw new PipelineError(
      "bundle.refused",
      `identity.other: ${versionPrefix(model, version)} holds ${manifest.model} ${manifest.version}`,
      { hint: "Objects were copied or exchanged by hand: restore them from a backup of the lake." },
    );
  }

  /** All versions, oldest first, also those that cannot be read. */
  async versions(): Promise<readonly RegisteredVersion[]> {
    const { store, model } = this.#options;
    const versions: RegisteredVersion[] = [];
    for await (const { key } of store.list(`${registryPrefix(model)}versions/`)) {
      const version = numberIn(key);
      if (version !== undefined && key.endsWith(`/${BUNDLE_FILES.manifest}`))
        versions.push(await this.#describe(version));
    }
    return versions;
  }

  /** The version that an alias means now; "previous" is what was champion before. */
  alias(name: string): Promise<number | undefined> {
    return this.#aliases.version(name);
  }

  /**
   * Lets an alias mean a version from now on, and notes who said so and why.
   *
   * Throws PipelineError "registry.alias" on a name or a reason that is none, "registry.missing" or "bundle.refused"
   * where that version cannot be loaded, "registry.busy", "registry.damaged", or of the store.
   */
  async setAlias(
    name: string,
    version: number,
    { who, why }: { readonly who: string; readonly why: string },
  ): Promise<void> {
    const { alias: aliasName, who: author } = aliasEntrySchema.shape;
    if (name === PREVIOUS || !aliasName.safeParse(name).success)
      throw new PipelineError("registry.alias", `an alias cannot be called "${name}"`, {
        hint: 'Use a lower-case name such as champion or candidate; "previous" follows from the history.',
      });
    if (!author.safeParse(who).success)
      throw new PipelineError("registry.alias", `"${who}" cannot be who sets an alias`, {
        hint: "Give a name of 1 to 128 characters.",
      });
    await this.load(version); // Nobody may be sent to a version that cannot be loaded.
    const atUs = this.#options.clock.nowUs();
    await this.#aliases.set({ alias: name, version, who, why: why.slice(0, WHY_LENGTH_MAX), atUs });
  }

  /** Every change of every alias, oldest first. Throws PipelineError "registry.damaged". */
  history(): Promise<readonly AliasEntry[]> {
    return this.#aliases.read();
  }

  #sign(made: {
    readonly draft: BundleDraft;
    readonly weights: Float32Array;
    readonly version: number;
  }): BundleFiles {
    const { model, privateKeyPem, publicKeysPem } = this.#options;
    if (privateKeyPem === undefined)
      throw new PipelineError("registry.no_key", "there is no private key to sign with", {
        hint: "Make a pair with sluice-cloud keys and name the private key in the settings.",
      });
    const manifest: BundleManifest = {
      ...made.draft,
      formatVersion: BUNDLE_FORMAT_VERSION,
      model,
      version: made.version,
      viewHash: viewHash(made.draft.view),
      weights: describeWeights(made.weights),
    };
    const bundle = { manifest, weights: made.weights };
    requireFit(bundle);
    const files = encodeBundle(bundle, signManifest(manifest, privateKeyPem));
    decodeBundle(files, publicKeysPem);
    return files;
  }

  /** Puts the three objects, the manifest last. False where the number is another's. */
  async #putVersion(version: number, files: BundleFiles): Promise<boolean> {
    for (const file of ["weights", "signature", "manifest"] as const)
      if (!(await this.#putOnce(this.#key(version, file), files[file]))) return false;
    return true;
  }

  /** True where the object is there with these bytes: ours, or a twin's, which is no difference. */
  async #putOnce(key: string, body: Uint8Array): Promise<boolean> {
    const { store } = this.#options;
    if ((await store.put(key, body, { ifAbsent: true })) === "created") return true;
    const there = await store.get(key);
    return there.state === "found" && Buffer.compare(there.object.body, body) === 0;
  }

  /** The highest number that anything is stored under, whole version or not; 0 where there is none. */
  async #lastNumber(): Promise<number> {
    const { store, model } = this.#options;
    let last = 0;
    for await (const { key } of store.list(`${registryPrefix(model)}versions/`))
      last = Math.max(last, numberIn(key) ?? 0);
    return last;
  }

  async #describe(version: number): Promise<RegisteredVersion> {
    try {
      const manifest = parseManifest(await this.#get(version, "manifest"));
      return { state: "registered", version, manifest };
    } catch (error) {
      if (!(error instanceof PipelineError) || error.code !== "bundle.refused") throw error;
      return { state: "unreadable", version, reason: describeError(error) };
    }
  }

  async #get(version: number, file: keyof typeof BUNDLE_FILES): Promise<Uint8Array> {
    const key = this.#key(version, file);
    const result = await this.#options.store.get(key);
    if (result.state === "found") return result.object.body;
    throw new PipelineError("registry.missing", `there is no ${key}`, {
      hint: "The registry's list of versions shows which there are.",
    });
  }

  #key(version: number, file: keyof typeof BUNDLE_FILES): string {
    return `${versionPrefix(this.#options.model, version)}${BUNDLE_FILES[file]}`;
  }
}

const WHY_LENGTH_MAX = 4_000;

function numberIn(key: string): number | undefined {
  const digits = /\/versions\/(\d{6})\/[^/]+$/.exec(key)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
