import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { secretBytes } from "@sluice/shared/runtime/random.ts";

/**
 * An encrypted body:
 *
 * format u8 (0xE1), key id 4 bytes, salt 16 bytes, counter u32 big-endian, tag 16 bytes, ciphertext.
 */
const FORMAT = 0xe1;
const ID_BYTES = 4;
const SALT_BYTES = 16;
const TAG_BYTES = 16;
const SALT_AT = 1 + ID_BYTES;
const COUNTER_AT = SALT_AT + SALT_BYTES;
const TAG_AT = COUNTER_AT + 4;
const HEADER_BYTES = TAG_AT + TAG_BYTES;

/** What encryption adds to a body. */
export const SEALED_BYTES = HEADER_BYTES;

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;

/** Bodies under one salt; the counter's 32 bits, and the number of calls that NIST SP 800-38D §8.3 allows a key. */
const BODIES_PER_SALT_MAX = 2 ** 32;

/** Salts whose keys are remembered; one is made at each start, so a backlog over many restarts has more. */
const KEYS_REMEMBERED = 64;

/**
 * Encrypts bodies before they are written: AES-256-GCM, bound to the place that they are written to.
 *
 * No nonce is used twice with one key, without anything to remember on disk: each start draws a salt of 128 bits, HKDF
 * makes a key of its own from the file's key and the salt, and under this key the nonce is a counter from 0 (NIST SP
 * 800-38D §8.2.1). After 2^32 bodies a new salt is drawn. Random nonces under one key would be at their limit of 2^32
 * bodies after a few months of hundreds a second. A megabyte costs about 1 ms of CPU, and a body of a few KiB some
 * 20 µs, most of it OpenSSL's set-up. `place` goes in as additional data: a body that was moved elsewhere
 * does not open there.
 */
export class BodyCipher {
  /** Names the key without telling it: the first bytes of another key that HKDF makes of it, in hex. */
  readonly keyId: string;
  readonly #key: Uint8Array;
  readonly #id: Uint8Array;
  readonly #salts = new Map<string, Uint8Array>();
  #salt = secretBytes(SALT_BYTES);
  #counter = 0;

  constructor(key: Uint8Array) {
    this.#key = key;
    this.#id = derive(key, new Uint8Array(0), "sluice buffer key id").subarray(0, ID_BYTES);
    this.keyId = Buffer.from(this.#id).toString("hex");
  }

  seal(place: string, body: Uint8Array): Uint8Array {
    if (this.#counter === BODIES_PER_SALT_MAX) {
      this.#salt = secretBytes(SALT_BYTES);
      this.#counter = 0;
    }
    const sealed = Buffer.alloc(HEADER_BYTES + body.length);
    sealed[0] = FORMAT;
    sealed.set(this.#id, 1);
    sealed.set(this.#salt, SALT_AT);
    sealed.writeUInt32BE(this.#counter++, COUNTER_AT);
    const cipher = createCipheriv(ALGORITHM, this.#keyOf(this.#salt), nonceOf(sealed));
    cipher.setAAD(Buffer.from(place));
    sealed.set(cipher.update(body), HEADER_BYTES);
    cipher.final();
    sealed.set(cipher.getAuthTag(), TAG_AT);
    return sealed;
  }

  /** Throws PipelineError "keys.buffer_wrong" for another key's body, "buffer.damaged" for one that was changed or moved. */
  open(place: string, stored: Uint8Array): Uint8Array {
    const sealed = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
    if (sealed.length < HEADER_BYTES)
      throw new PipelineError("buffer.damaged", `${place}: the encrypted body is cut off`);
    const id = sealed.toString("hex", 1, SALT_AT);
    if (id !== this.keyId) throw wrongKey(place, id, this.keyId);
    const key = this.#keyOf(sealed.subarray(SALT_AT, COUNTER_AT));
    const decipher = createDecipheriv(ALGORITHM, key, nonceOf(sealed));
    decipher.setAAD(Buffer.from(place));
    decipher.setAuthTag(sealed.subarray(TAG_AT, HEADER_BYTES));
    const body = decipher.update(sealed.subarray(HEADER_BYTES));
    try {
      decipher.final();
    } catch (cause) {
      throw new PipelineError("buffer.damaged", `${place}: the encrypted body was changed or moved`, {
        cause,
      });
    }
    return body;
  }

  #keyOf(salt: Uint8Array): Uint8Array {
    const name = Buffer.from(salt).toString("hex");
    const known = this.#salts.get(name);
    if (known !== undefined) return known;
    if (this.#salts.size === KEYS_REMEMBERED) this.#salts.clear();
    const key = derive(this.#key, salt, "sluice buffer bodies");
    this.#salts.set(name, key);
    return key;
  }
}

export const isEncrypted = (stored: Uint8Array): boolean => stored[0] === FORMAT;

/** A new key as the text of a key file. */
export const newKey = (): string => Buffer.from(secretBytes(KEY_BYTES)).toString("hex");

/** The key of a file: 32 bytes in hex or base64. Throws PipelineError "keys.buffer_file", which never says the key. */
export function readKeyFile(path: string): BodyCipher {
  const refuse = (why: string, hint: string, cause?: unknown): PipelineError =>
    new PipelineError("keys.buffer_file", `buffer.encryptionKeyFile ${path}: ${why}`, { hint, cause });
  let text: string;
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0)
      throw refuse("others than its owner may use it", `Say chmod 600 ${path}, as the gateway's user.`);
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    if (cause instanceof PipelineError) throw cause;
    throw refuse("cannot be read", "Make one with: umask 077; sluice-gateway buffer key > FILE", cause);
  }
  const isHex = /^[\da-f]{64}$/i.test(text);
  if (!isHex && !/^[A-Za-z\d+/]{43}=?$/.test(text))
    throw refuse(
      "it does not hold 32 bytes in hex or base64",
      "Make one with: sluice-gateway buffer key > FILE",
    );
  return new BodyCipher(Buffer.from(text, isHex ? "hex" : "base64"));
}

const derive = (key: Uint8Array, salt: Uint8Array, use: string): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", key, salt, use, KEY_BYTES));

/** 96 bits: the counter behind zeros. */
function nonceOf(sealed: Buffer): Buffer {
  const nonce = Buffer.alloc(12);
  sealed.copy(nonce, 8, COUNTER_AT, TAG_AT);
  return nonce;
}

const wrongKey = (where: string, wanted: string, given: string): PipelineError =>
  new PipelineError(
    "keys.buffer_wrong",
    `${where} was encrypted with the key ${wanted}, buffer.encryptionKeyFile holds the key ${given}`,
    { hint: "Give the gateway the key file that the buffer was written with; nothing was changed." },
  );
