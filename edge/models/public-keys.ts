import { readFile } from "node:fs/promises";
import { keyId } from "@sluice/shared/codec/signature.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";

/** Reads the public keys that are trusted. Throws PipelineError "keys.unreadable" or "keys.invalid" with the path. */
export async function readPublicKeys(paths: readonly string[]): Promise<readonly string[]> {
  const keys: string[] = [];
  for (const path of paths) keys.push(await readPublicKey(path));
  return keys;
}

async function readPublicKey(path: string): Promise<string> {
  let pem: string;
  try {
    pem = await readFile(path, "utf8");
  } catch (cause) {
    throw new PipelineError("keys.unreadable", `cannot read the public key ${path}`, {
      cause,
      hint: "Copy the public key that sluice-cloud keys wrote to this path, or correct models.publicKeys.",
    });
  }
  try {
    keyId(pem);
  } catch (cause) {
    throw new PipelineError("keys.invalid", `${path}: ${describeError(cause)}`, { cause });
  }
  return pem;
}
