import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { generateKeyPair, keyId, signerKeyId } from "@sluice/shared/codec/signature.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";

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

/** The keys of a registry, in PEM. */
export interface RegistryKeys {
  readonly privateKeyPem: string;
  readonly publicKeysPem: readonly string[];
}

/**
 * Reads the key that signs and the keys that check, and makes sure that one of these knows the signer: otherwise that
 * would be noticed at the end of the first training.
 *
 * Throws PipelineError "keys.unreadable", "keys.invalid" with the path, or "keys.mismatch".
 */
export async function readKeys(files: {
  readonly privateKey: string;
  readonly publicKeys: readonly string[];
}): Promise<RegistryKeys> {
  const signer = await readKey(files.privateKey, signerKeyId);
  const trusted = await Promise.all(files.publicKeys.map((path) => readKey(path, keyId)));
  if (!trusted.some(({ id }) => id === signer.id))
    throw new PipelineError(
      "keys.mismatch",
      `${files.privateKey} signs as ${signer.id}, and the public keys are ${trusted.map(({ id }) => id).join(", ")}`,
      { hint: "Name the signing.pub that was made together with the private key under keys.publicKeys." },
    );
  return { privateKeyPem: signer.pem, publicKeysPem: trusted.map(({ pem }) => pem) };
}

async function readKey(
  path: string,
  idOf: (pem: string) => string,
): Promise<{ readonly pem: string; readonly id: string }> {
  let pem: string;
  try {
    pem = await readFile(path, "utf8");
  } catch (cause) {
    throw new PipelineError("keys.unreadable", `cannot read the key ${path}`, {
      cause,
      hint: "`sluice-cloud keys --out <folder>` makes a pair; name its files under keys.",
    });
  }
  try {
    return { pem, id: idOf(pem) };
  } catch (error) {
    throw new PipelineError("keys.invalid", `${path}: ${describeError(error)}`, { cause: error });
  }
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
