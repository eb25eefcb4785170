import { BundleRefused } from "@sluice/shared/codec/bundle-refusal.ts";
import type { RefusalReason } from "@sluice/shared/codec/bundle-refusal.ts";
import { BUNDLE_FILES } from "@sluice/shared/contract/bundle.ts";
import type { ModelVersion } from "@sluice/shared/contract/fleet.ts";
import { versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

export type BundleFile = keyof typeof BUNDLE_FILES;

/** Largest manifest and signature that are downloaded: 512 features with their golden vectors take 1 MiB. */
const FILE_BYTES_MAX = { manifest: 4 * 1_048_576, signature: 4_096 } as const;

/** What a download that went wrong on the way looks like: worth another try. The rest stays as it is. */
const DAMAGED: ReadonlySet<RefusalReason> = new Set([
  "manifest.malformed",
  "manifest.invalid",
  "signature.malformed",
  "signature.wrong",
  "weights.hash",
  "weights.length",
]);

/** Whether a bundle was refused for something that a second download may mend. */
export function isDamage(error: unknown): boolean {
  if (error instanceof BundleRefused) return DAMAGED.has(error.reason);
  return error instanceof PipelineError && error.code === "bundle.missing";
}

/** Where to download from, and how much at most. */
export interface DownloadSource {
  readonly store: Pick<ObjectStore, "get" | "head">;
  /** The weights file's limit; manifest and signature have their own. */
  readonly bundleBytesMax: number;
}

/**
 * Fetches one file of a bundle, its size asked before a byte of it is loaded.
 *
 * Throws PipelineError "bundle.missing", "bundle.too_large" or what the store throws.
 */
export async function fetchBundleFile(
  { store, bundleBytesMax }: DownloadSource,
  { model, version }: ModelVersion,
  file: BundleFile,
): Promise<Uint8Array> {
  const key = `${versionPrefix(model, version)}${BUNDLE_FILES[file]}`;
  const bytesMax = file === "weights" ? bundleBytesMax : FILE_BYTES_MAX[file];
  const info = await store.head(key);
  if (info === undefined) throw missing(key);
  if (info.bytes > bytesMax) throw tooLarge(key, info.bytes, bytesMax);
  const result = await store.get(key);
  if (result.state !== "found") throw missing(key);
  const { body } = result.object;
  if (body.length > bytesMax) throw tooLarge(key, body.length, bytesMax);
  return body;
}

const missing = (key: string): PipelineError =>
  new PipelineError("bundle.missing", `there is no ${key}`, {
    hint: "The desired version is not in the registry of this lake: roll out one that is.",
  });

const tooLarge = (key: string, bytes: number, bytesMax: number): PipelineError =>
  new PipelineError("bundle.too_large", `${key} has ${bytes} bytes, the limit is ${bytesMax}`, {
    hint: "Train a smaller model or raise models.bundleBytesMax.",
  });
