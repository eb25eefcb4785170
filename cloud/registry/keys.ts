import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { generateKeyPair } from "@sluice/shared/codec/signature.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** Names of the two files of a key pair. */
export const KEY_FILES = { privateKey: "signing.key", publicKey: "signing.pub" } as const;

/** Where a key pair was written. */
export interface WrittenKeys {
  readonly keyId: string;
  readonly privateKeyPath: string;
  readonly publicKeyPath: string;
}

/**
 * Makes a key pair and writes it into a folder: the private key readable by its owner alone.
 *
 * Throws PipelineError "keys.exist" where one of the files is there (nothing is overwritten: gateways trust the old
 * key), or "keys.unwritable". Both files are there and on disk, or none.
 */
export async function writeKeyPair(dir: string): Promise<WrittenKeys> {
  const { publicKeyPem, privateKeyPem, keyId } = generateKeyPair();
  const privateKeyPath = join(dir, KEY_FILES.privateKey);
  const publicKeyPath = join(dir, KEY_FILES.publicKey);
  try {
    await mkdir(dir, { recursive: true });
  } catch (cause) {
    throw unwritable(dir, cause);
  }
  await writeNew(privateKeyPath, privateKeyPem, 0o600);
  try {
    await writeNew(publicKeyPath, publicKeyPem, 0o644);
  } catch (error) {
    await rm(privateKeyPath); // Ours: writeNew made it.
    throw error;
  }
  return { keyId, privateKeyPath, publicKeyPath };
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    const file = await open(path, "wx", mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST"))
      throw unwritable(path, cause);
    throw new PipelineError("keys.exist", `${path} is already there and is not overwritten`, {
      hint: "Gateways may trust this key. To change keys, write the new pair into another folder.",
    });
  }
}

function unwritable(path: string, cause: unknown): PipelineError {
  return new PipelineError("keys.unwritable", `cannot write ${path}`, {
    cause,
    hint: "Give a folder that you may write to.",
  });
}
