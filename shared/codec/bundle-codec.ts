import {
  BUNDLE_FORMAT_VERSION,
  type Bundle,
  type BundleManifest,
  type BundleSignature,
  bundleManifestSchema,
  bundleSignatureSchema,
} from "../contract/bundle.ts";
import { canonicalJson } from "../contract/canonical-json.ts";
import { checkBundle, UnfitBundle } from "../model/check.ts";
import { assert } from "../runtime/assert.ts";
import { describeIssues, type SettingsIssue } from "../runtime/settings-issues.ts";
import { BundleRefused, type RefusalReason } from "./bundle-refusal.ts";
import { sha256Hex, viewHash } from "./hash.ts";
import { verifyManifest } from "./signature.ts";

/** The bytes of a bundle's three objects (see BUNDLE_FILES). */
export interface BundleFiles {
  readonly manifest: Uint8Array;
  readonly weights: Uint8Array;
  readonly signature: Uint8Array;
}

const WEIGHT_BYTES = 4;

/** Issues that a refusal lists: enough to see what is wrong, and a report stays small. */
const ISSUES_SHOWN_MAX = 5;

/** Weights as they are stored: float32, little-endian. */
export function encodeWeights(weights: Float32Array): Uint8Array {
  const bytes = new Uint8Array(weights.length * WEIGHT_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, weight] of weights.entries()) view.setFloat32(i * WEIGHT_BYTES, weight, true);
  return bytes;
}

/** What a manifest says of its weights. */
export function describeWeights(weights: Float32Array): BundleManifest["weights"] {
  return { sha256: sha256Hex(encodeWeights(weights)), count: weights.length };
}

/** A signed bundle as its three objects. The manifest is written as its canonical JSON. */
export function encodeBundle(bundle: Bundle, signature: BundleSignature): BundleFiles {
  const weights = encodeWeights(bundle.weights);
  assert(sha256Hex(weights) === bundle.manifest.weights.sha256, "a manifest carries the hash of its weights");
  const utf8 = new TextEncoder();
  return {
    manifest: utf8.encode(canonicalJson(bundle.manifest)),
    weights,
    signature: utf8.encode(canonicalJson(signature)),
  };
}

/**
 * Reads a bundle that may come from anywhere, and lets in only what one of the keys signed and what can score.
 *
 * In this order: the format is one that we know, the manifest keeps its schema, the signature holds, the weights have
 * the promised hash and number, the view has the promised hash, and `checkBundle` passes.
 * Throws BundleRefused (a PipelineError "bundle.refused") that says which check failed.
 */
export function decodeBundle(files: BundleFiles, publicKeysPem: readonly string[]): Bundle {
  const manifest = parseManifest(files.manifest);
  const signature = parseSignature(files.signature);
  verifyManifest(manifest, signature, publicKeysPem);
  const weights = readWeights(files.weights, manifest);
  const hash = viewHash(manifest.view);
  if (hash !== manifest.viewHash)
    throw new BundleRefused(
      "view.hash",
      `the view "${manifest.view.name}" hashes to ${hash}, viewHash says ${manifest.viewHash}`,
      "The model was registered by a program with another idea of views: register it again with this version.",
    );
  const bundle = { manifest, weights };
  requireFit(bundle);
  return bundle;
}

/** `checkBundle` with the failure as a BundleRefused. */
export function requireFit(bundle: Bundle): void {
  try {
    checkBundle(bundle);
  } catch (error) {
    if (!(error instanceof UnfitBundle)) throw error;
    throw new BundleRefused(`unfit.${error.check}`, error.message, "Train and register the model again.");
  }
}

/** The manifest, checked against its schema but not yet against its signature. Throws BundleRefused. */
export function parseManifest(bytes: Uint8Array): BundleManifest {
  const value = parseJson(bytes, "manifest.malformed", "bundle.json");
  const format =
    typeof value === "object" && value !== null ? Reflect.get(value, "formatVersion") : undefined;
  // Before the schema: what a newer format adds is not a mistake.
  if (typeof format === "number" && format > BUNDLE_FORMAT_VERSION)
    throw new BundleRefused(
      "format.newer",
      `formatVersion ${format} is newer than ${BUNDLE_FORMAT_VERSION}, the newest that this program reads`,
      "Update this program before rolling out that model.",
    );
  const parsed = bundleManifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BundleRefused(
    "manifest.invalid",
    `bundle.json: ${someIssues(parsed.error.issues, value)}`,
    "Register the model again.",
  );
}

function parseSignature(bytes: Uint8Array): BundleSignature {
  const value = parseJson(bytes, "signature.malformed", "the signature file");
  const parsed = bundleSignatureSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BundleRefused(
    "signature.malformed",
    `the signature file: ${someIssues(parsed.error.issues, value)}`,
    "Register the model again.",
  );
}

function someIssues(issues: readonly SettingsIssue[], value: unknown): string {
  const lines = describeIssues(issues, value);
  const rest = lines.length > ISSUES_SHOWN_MAX ? `; and ${lines.length - ISSUES_SHOWN_MAX} more` : "";
  return `${lines.slice(0, ISSUES_SHOWN_MAX).join("; ")}${rest}`;
}

function parseJson(bytes: Uint8Array, reason: RefusalReason, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new BundleRefused(
      reason,
      `${name} is not JSON (${bytes.length} bytes)`,
      "The file is damaged or was not written by sluice-cloud.",
    );
  }
}

function readWeights(bytes: Uint8Array, { weights: promised }: BundleManifest): Float32Array {
  if (bytes.length !== promised.count * WEIGHT_BYTES)
    throw new BundleRefused(
      "weights.length",
      `weights.bin has ${bytes.length} bytes, ${promised.count} weights take ${promised.count * WEIGHT_BYTES}`,
      "The file is cut off or belongs to another version.",
    );
  const hash = sha256Hex(bytes);
  if (hash !== promised.sha256)
    throw new BundleRefused(
      "weights.hash",
      `weights.bin has the SHA-256 ${hash}, the manifest promises ${promised.sha256}`,
      "The file is damaged or belongs to another version.",
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: promised.count }, (_, i) => view.getFloat32(i * WEIGHT_BYTES, true));
}
