import { createHash } from "node:crypto";
import { canonicalJson } from "../contract/canonical-json.ts";
import type { FeatureView } from "../contract/feature-view.ts";

/** SHA-256 in hex. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A view's version: the SHA-256 of its canonical JSON. */
export function viewHash(view: FeatureView): string {
  return sha256Hex(canonicalJson(view));
}
