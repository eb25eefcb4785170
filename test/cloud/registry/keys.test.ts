import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeKeyPair } from "@sluice/cloud/registry/keys.ts";
import { readPublicKeys } from "@sluice/edge/models/public-keys.ts";
import { keyId, signManifest, verifyManifest } from "@sluice/shared/codec/signature.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sampleBundle } from "../../shared/model/sample-bundle.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "sluice-keys-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test("a written pair signs in the cloud and is trusted at the edge; the private half is its owner's alone", async () => {
  const written = await writeKeyPair(join(dir, "new", "folder"));
  const privateKeyPem = await readFile(written.privateKeyPath, "utf8");
  const publicKeysPem = await readPublicKeys([written.publicKeyPath]);
  const { manifest } = sampleBundle();
  const signature = signManifest(manifest, privateKeyPem);
  verifyManifest(manifest, signature, publicKeysPem);
  expect(signature.keyId).toBe(written.keyId);
  expect(publicKeysPem.map(keyId)).toEqual([written.keyId]);
  expect((await stat(written.privateKeyPath)).mode & 0o777).toBe(0o600);
});

test("no key is overwritten, and a pair is whole or not there", async () => {
  const written = await writeKeyPair(dir);
  const before = await readFile(written.privateKeyPath, "utf8");
  await expect(writeKeyPair(dir)).rejects.toMatchObject({ code: "keys.exist" });
  expect(await readFile(written.privateKeyPath, "utf8")).toBe(before);

  await rm(written.privateKeyPath);
  await expect(writeKeyPair(dir)).rejects.toMatchObject({
    code: "keys.exist",
    message: expect.stringContaining("signing.pub"),
  });
  expect(await readdir(dir)).toEqual(["signing.pub"]);
});

test("a folder that cannot be is said", async () => {
  await writeFile(join(dir, "file"), "");
  await expect(writeKeyPair(join(dir, "file"))).rejects.toMatchObject({ code: "keys.unwritable" });
});

test("a public key that is missing, rubbish or the private one is refused with its path", async () => {
  const { privateKeyPath } = await writeKeyPair(dir);
  const rubbish = join(dir, "rubbish.pub");
  await writeFile(rubbish, "ssh-ed25519 AAAA");
  await expect(readPublicKeys([join(dir, "none.pub")])).rejects.toMatchObject({ code: "keys.unreadable" });
  for (const path of [rubbish, privateKeyPath])
    await expect(readPublicKeys([path])).rejects.toMatchObject({
      code: "keys.invalid",
      message: expect.stringContaining(path),
    });
});
