import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { type BodyCipher, isEncrypted, readKeyFile, SEALED_BYTES } from "./cipher.ts";
import { makeFolder, sqliteError, syncFolder } from "./sqlite-file.ts";

/** The first byte of a body behind a checksum: format u8, CRC-32 u32 little-endian, the body. */
const CHECKED = 0xc1;
const HEADER_BYTES = 5;

/** How an encrypted text begins; texts of ours are JSON or identifiers, which never do. */
const SEALED_TEXT = "encrypted:";

/** The file in a buffer that says which key it is encrypted with. */
export const ENCRYPTION_FILE = "encryption";

/**
 * How bodies are written: encrypted where there is a key, else behind a checksum.
 *
 * Either way a body is bound to its place, a text that says what it is and where it belongs, so that neither it nor its
 * place can change unseen. Bodies that were written plain before a key was given stay readable beside encrypted ones:
 * the first byte tells.
 */
export class Bodies {
  readonly #cipher: BodyCipher | undefined;

  constructor(cipher?: BodyCipher) {
    this.#cipher = cipher;
  }

  get isEncrypting(): boolean {
    return this.#cipher !== undefined;
  }

  seal(place: string, body: Uint8Array): Uint8Array {
    if (this.#cipher !== undefined) return this.#cipher.seal(place, body);
    const sealed = new Uint8Array(HEADER_BYTES + body.length);
    sealed[0] = CHECKED;
    new DataView(sealed.buffer).setUint32(1, crc32(body, crc32(place)), true);
    sealed.set(body, HEADER_BYTES);
    return sealed;
  }

  /** Throws PipelineError "buffer.damaged", "keys.buffer_missing", "keys.buffer_wrong". */
  open(place: string, stored: Uint8Array): Uint8Array {
    if (stored[0] === CHECKED && stored.length >= HEADER_BYTES) {
      const body = stored.subarray(HEADER_BYTES);
      const view = new DataView(stored.buffer, stored.byteOffset, HEADER_BYTES);
      if (view.getUint32(1, true) === crc32(body, crc32(place))) return body;
      throw new PipelineError("buffer.damaged", `${place}: the checksum is wrong`);
    }
    if (isEncrypted(stored)) return this.decrypt(place, stored);
    throw new PipelineError("buffer.damaged", `${place}: the body has no known format`);
  }

  /** What `seal` adds to a body. */
  get overheadBytes(): number {
    return this.#cipher === undefined ? HEADER_BYTES : SEALED_BYTES;
  }

  /** A text that may carry names: as it is without a key, where whoever keeps it keeps a checksum too. */
  sealText(place: string, text: string): string {
    if (this.#cipher === undefined) return text;
    return SEALED_TEXT + Buffer.from(this.#cipher.seal(place, Buffer.from(text))).toString("base64");
  }

  /** Throws what `open` throws. */
  openText(place: string, stored: string): string {
    if (!stored.startsWith(SEALED_TEXT)) return stored;
    return Buffer.from(
      this.decrypt(place, Buffer.from(stored.slice(SEALED_TEXT.length), "base64")),
    ).toString();
  }

  /** Encrypts a body that has a checksum elsewhere; without a key it stays as it is. */
  encrypt(place: string, body: Uint8Array): Uint8Array {
    return this.#cipher === undefined ? body : this.#cipher.seal(place, body);
  }

  /** What `encrypt` was given. */
  decrypt(place: string, stored: Uint8Array): Uint8Array {
    if (!isEncrypted(stored)) return stored;
    if (this.#cipher === undefined) throw missingKey(place);
    return this.#cipher.open(place, stored);
  }
}

/** Where a checkpoint belongs, as its checksum or its encryption knows it. */
export const checkpointPlace = (through: number): string => `checkpoint ${through}`;

/**
 * The bodies of the buffer in `dir`, read-only: touches nothing.
 *
 * Throws PipelineError "keys.buffer_file", "keys.buffer_missing", "keys.buffer_wrong".
 */
export function readBodies(dir: string, keyFile: string | undefined): Bodies {
  const path = join(dir, ENCRYPTION_FILE);
  const cipher = keyFile === undefined ? undefined : readKeyFile(keyFile);
  const wanted = readLine(path);
  if (wanted === undefined) return new Bodies(cipher);
  if (cipher === undefined) throw missingKey(`the buffer in ${dir}`);
  if (wanted !== line(cipher))
    throw new PipelineError(
      "keys.buffer_wrong",
      `the buffer in ${dir} was encrypted with another key (${wanted}) than ${keyFile} holds (${line(cipher)})`,
      { hint: "Give the gateway the key file that the buffer was written with; nothing was changed." },
    );
  return new Bodies(cipher);
}

/** The same for whoever writes: from here on the folder says that it is encrypted. Throws "buffer.unwritable" too. */
export function openBodies(dir: string, keyFile: string | undefined): Bodies {
  const bodies = readBodies(dir, keyFile);
  const path = join(dir, ENCRYPTION_FILE);
  if (keyFile === undefined || readLine(path) !== undefined) return bodies;
  makeFolder(dir);
  try {
    const handle = openSync(path, "w");
    try {
      writeSync(handle, `${line(readKeyFile(keyFile))}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    syncFolder(dir); // Before the first body is encrypted: whoever comes without a key is told so.
  } catch (cause) {
    throw sqliteError(cause, `cannot write ${path}`);
  }
  return bodies;
}

/** Undefined where there is none; a torn one counts as none, because every body names its key too. */
function readLine(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8").trim();
  return /^aes-256-gcm [\da-f]{8}$/.test(text) ? text : undefined;
}

const line = (cipher: BodyCipher): string => `aes-256-gcm ${cipher.keyId}`;

const missingKey = (what: string): PipelineError =>
  new PipelineError("keys.buffer_missing", `${what} is encrypted and no key is given`, {
    hint: "Name the key file in buffer.encryptionKeyFile, or with --key-file beside --dir; nothing was changed.",
  });
