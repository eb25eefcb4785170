import { generateKeyPairSync } from "node:crypto";
import { keyId, generateKeyPair, signManifest, verifyManifest } from "@sluice/shared/codec/signature.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { expect, test } from "vitest";
import { sampleBundle } from "../model/sample-bundle.ts";

const { manifest } = sampleBundle();
const ours = generateKeyPair();
const theirs = generateKeyPair();
const signature = signManifest(manifest, ours.privateKeyPem);

function refusal(work: () => void): string {
  try {
    work();
  } catch (error) {
    if (error instanceof PipelineError) return describeError(error);
    throw error;
  }
  return "let in";
}

test("a signature holds for the key that made it, also beside other keys", () => {
  for (const trusted of [[ours.publicKeyPem], [theirs.publicKeyPem, ours.publicKeyPem]])
    expect(refusal(() => verifyManifest(manifest, signature, trusted))).toBe("let in");
  expect(signature.keyId).toBe(ours.keyId);
  expect(keyId(ours.publicKeyPem)).toBe(ours.keyId);
});

test("the order of the manifest's keys does not matter, its values do", () => {
  const { formatVersion, model, ...rest } = manifest;
  expect(
    refusal(() => verifyManifest({ ...rest, model, formatVersion }, signature, [ours.publicKeyPem])),
  ).toBe("let in");
  const other = { ...manifest, threshold: manifest.threshold + 1e-9 };
  expect(refusal(() => verifyManifest(other, signature, [ours.publicKeyPem]))).toMatch(
    /^signature\.wrong: .*pump-health 1.*\[bundle\.refused\]/,
  );
});

test("a signer that nobody trusts is refused by its key's id", () => {
  const text = refusal(() => verifyManifest(manifest, signature, [theirs.publicKeyPem]));
  expect(text).toMatch(/^signature\.unknown_key: /);
  expect(text).toContain(ours.keyId);
  expect(text).toContain(theirs.keyId);
  expect(refusal(() => verifyManifest(manifest, signature, []))).toMatch(/trusted are none/);
});

test("a signature under another key's id is refused", () => {
  const forged = { ...signManifest(manifest, theirs.privateKeyPem), keyId: ours.keyId };
  expect(refusal(() => verifyManifest(manifest, forged, [ours.publicKeyPem]))).toMatch(/^signature\.wrong/);
});

test.each([
  ["empty", ""],
  ["no base64", "!!!"],
  ["too short", signature.signature.slice(0, 40)],
  ["too long", Buffer.alloc(65).toString("base64")],
  ["with rubbish that base64 would skip", `${signature.signature}\n`],
])("a signature that is %s is refused as malformed", (_, text) => {
  expect(
    refusal(() => verifyManifest(manifest, { ...signature, signature: text }, [ours.publicKeyPem])),
  ).toMatch(/^signature\.malformed/);
});

test("a key that is none, of another kind, or a secret in the public place is a mistake in the settings", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = rsa.publicKey.export({ type: "spki", format: "pem" }).toString();
  for (const key of ["", "not a key", pem, ours.privateKeyPem])
    expect(refusal(() => verifyManifest(manifest, signature, [key]))).toMatch(/\[keys\.invalid\]/);
  expect(refusal(() => signManifest(manifest, ours.publicKeyPem))).toMatch(/\[keys\.invalid\]/);
});
