import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import type { BundleManifest, BundleSignature } from "../contract/bundle.ts";
import { canonicalJson } from "../contract/canonical-json.ts";
import { PipelineError } from "../runtime/errors.ts";
import { BundleRefused } from "./bundle-refusal.ts";
import { sha256Hex } from "./hash.ts";

/** An Ed25519 key pair in PEM: SPKI and PKCS #8. */
export interface SigningKeyPair {
  readonly publicKeyPem: string;
  readonly privateKeyPem: string;
  readonly keyId: string;
}

const SIGNATURE_BYTES = 64; // RFC 8032 §5.1.6
const KEY_ID_DIGITS = 16;

export function generateKeyPair(): SigningKeyPair {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    publicKeyPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    keyId: keyIdOf(publicKey),
  };
}

/** The id of a public key: the first 16 hex digits of the SHA-256 of its SPKI. Throws "keys.invalid". */
export const keyId = (publicKeyPem: string): string => keyIdOf(readKey(publicKeyPem, "public"));

/** The id of the public key that belongs to a private one. Throws "keys.invalid". */
export const signerKeyId = (privateKeyPem: string): string =>
  keyIdOf(createPublicKey(readKey(privateKeyPem, "private")));

/** Signs the UTF-8 of the manifest's canonical JSON. Throws PipelineError "keys.invalid" on a key that is none. */
export function signManifest(manifest: BundleManifest, privateKeyPem: string): BundleSignature {
  const privateKey = readKey(privateKeyPem, "private");
  const signature = sign(undefined, signedBytes(manifest), privateKey);
  return {
    algorithm: "ed25519",
    keyId: keyIdOf(createPublicKey(privateKey)),
    signature: signature.toString("base64"),
  };
}

/**
 * Checks that one of the keys signed just this manifest. Several keys may be valid at once, so that keys can be
 * changed without a gap.
 *
 * Throws BundleRefused (signature.malformed, signature.unknown_key, signature.wrong), or PipelineError "keys.invalid"
 * where one of our own public keys is none.
 */
export function verifyManifest(
  manifest: BundleManifest,
  signature: BundleSignature,
  publicKeysPem: readonly string[],
): void {
  const keys = new Map(
    publicKeysPem.map((pem) => {
      const key = readKey(pem, "public");
      return [keyIdOf(key), key] as const;
    }),
  );
  const bytes = Buffer.from(signature.signature, "base64");
  if (bytes.length !== SIGNATURE_BYTES || bytes.toString("base64") !== signature.signature)
    throw new BundleRefused(
      "signature.malformed",
      `an Ed25519 signature is ${SIGNATURE_BYTES} bytes in base64, this one is ${bytes.length}`,
      "The signature file is damaged: register the model again.",
    );
  const key = keys.get(signature.keyId);
  if (key === undefined)
    throw new BundleRefused(
      "signature.unknown_key",
      `signed by key ${signature.keyId}, trusted are ${[...keys.keys()].join(", ") || "none"}`,
      "If that signer is yours, add its public key to the gateway's settings.",
    );
  if (!verify(undefined, signedBytes(manifest), key, bytes))
    throw new BundleRefused(
      "signature.wrong",
      `the manifest of ${manifest.model} ${manifest.version} is not what key ${signature.keyId} signed`,
      "The bundle was altered or damaged after signing: find out where before you register the model again.",
    );
}

const signedBytes = (manifest: BundleManifest): Buffer => Buffer.from(canonicalJson(manifest), "utf8");

const keyIdOf = (publicKey: KeyObject): string =>
  sha256Hex(publicKey.export({ type: "spki", format: "der" })).slice(0, KEY_ID_DIGITS);

function readKey(pem: string, kind: "public" | "private"): KeyObject {
  let key: KeyObject;
  try {
    // createPublicKey would also take a private key and derive the public one: a secret in the wrong place.
    if (kind === "public" && pem.includes("PRIVATE KEY")) throw new Error("it is a private key");
    key = kind === "public" ? createPublicKey(pem) : createPrivateKey(pem);
    if (key.asymmetricKeyType !== "ed25519") throw new Error(`it is of type ${key.asymmetricKeyType}`);
  } catch (cause) {
    throw new PipelineError("keys.invalid", `not an Ed25519 ${kind} key in PEM`, {
      cause,
      hint: "Make a pair with sluice-cloud keys and give the file's whole content.",
    });
  }
  return key;
}
