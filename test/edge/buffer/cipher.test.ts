import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Bodies, openBodies, readBodies } from "../../../edge/buffer/body.ts";
import { BodyCipher, newKey, readKeyFile } from "../../../edge/buffer/cipher.ts";
import { codeOf, tempFolder } from "./fixtures.ts";

const cipher = (fill = 7): BodyCipher => new BodyCipher(new Uint8Array(32).fill(fill));
const sealings = [
  ["a checksum", new Bodies()],
  ["a key", new Bodies(cipher())],
] as const;

function keyFile(text = newKey(), mode = 0o600): string {
  const path = join(tempFolder(), "buffer.key");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test.each(sealings)("a body sealed with %s opens at its place and nowhere else", (_, bodies) => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.string(), fc.string(), (body, place, other) => {
      const sealed = bodies.seal(place, body);
      expect(new Uint8Array(bodies.open(place, sealed))).toEqual(body);
      const elsewhere = other === place ? `${place} ` : other;
      expect(codeOf(() => bodies.open(elsewhere, sealed))).toBe("buffer.damaged");
    }),
  );
});

test.each(sealings)("a body sealed with %s never opens as another after a flip or a cut", (_, bodies) => {
  const body = new TextEncoder().encode("plant/pump-1/telemetry");
  const sealed = bodies.seal("pending", body);
  const refusals = new Set(["buffer.damaged", "keys.buffer_wrong", "keys.buffer_missing"]);
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const changed = Uint8Array.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(refusals).toContain(codeOf(() => bodies.open("pending", changed)));
  }
  for (let length = 0; length < sealed.length; length++)
    expect(refusals).toContain(codeOf(() => bodies.open("pending", sealed.subarray(0, length))));
});

test("an encrypted body shows nothing of what is in it, and no two are alike", () => {
  const bodies = new Bodies(cipher());
  const body = new TextEncoder().encode("plant/pump-1/telemetry".repeat(20));
  const sealed = Array.from({ length: 100 }, () => Buffer.from(bodies.seal("pending", body)));
  for (const bytes of sealed) expect(bytes.includes("pump")).toBe(false);
  expect(new Set(sealed.map((bytes) => bytes.toString("hex", 41))).size).toBe(100);
});

test("two starts with one key never use a nonce with the same derived key", () => {
  const first = cipher().seal("p", new Uint8Array(64));
  const second = cipher().seal("p", new Uint8Array(64));
  expect(first.subarray(5, 21)).not.toEqual(second.subarray(5, 21)); // The salts.
  expect(first.subarray(41)).not.toEqual(second.subarray(41));
  expect(cipher().open("p", first)).toEqual(cipher().open("p", second));
});

test("a body of another key, or a body without a key at hand, is a refusal and not damage", () => {
  const sealed = new Bodies(cipher(1)).seal("p", Uint8Array.of(1));
  expect(codeOf(() => new Bodies(cipher(2)).open("p", sealed))).toBe("keys.buffer_wrong");
  expect(codeOf(() => new Bodies().open("p", sealed))).toBe("keys.buffer_missing");
});

test("what was written plain stays readable when a key is given", () => {
  const sealed = new Bodies().seal("p", Uint8Array.of(1, 2));
  expect(new Bodies(cipher()).open("p", sealed)).toEqual(Uint8Array.of(1, 2));
  expect(new Bodies(cipher()).decrypt("p", Uint8Array.of(1, 2))).toEqual(Uint8Array.of(1, 2));
});

test.each(["hex", "base64"] as const)(
  "a key file may be %s, and a new line at its end does no harm",
  (how) => {
    const text = Buffer.from(newKey(), "hex").toString(how);
    expect(readKeyFile(keyFile(`${text}\n`)).keyId).toBe(readKeyFile(keyFile(text)).keyId);
  },
);

test.each([
  ["is empty", "", 0o600],
  ["is too short", "ab".repeat(31), 0o600],
  ["is too long", "ab".repeat(33), 0o600],
  ["is not hex", "xy".repeat(32), 0o600],
  ["may be read by a group", "ab".repeat(32), 0o640],
  ["may be read by all", "ab".repeat(32), 0o604],
])("a key file that %s is refused, and the refusal does not tell the key", (_, text, mode) => {
  const path = keyFile(text, mode);
  expect(() => readKeyFile(path)).toThrowError(expect.objectContaining({ code: "keys.buffer_file" }));
  expect(() => readKeyFile(path)).not.toThrow(text === "" ? "undefined" : text);
});

test("a key file that is missing is refused", () => {
  expect(codeOf(() => readKeyFile(join(tempFolder(), "none")))).toBe("keys.buffer_file");
});

test("an encrypted folder opens with its own key only, and a refusal touches nothing", () => {
  const dir = tempFolder();
  const [right, wrong] = [keyFile(), keyFile()];
  openBodies(dir, right);
  const before = readFileSync(join(dir, "encryption"), "utf8");
  expect(codeOf(() => openBodies(dir, undefined))).toBe("keys.buffer_missing");
  expect(codeOf(() => openBodies(dir, wrong))).toBe("keys.buffer_wrong");
  expect(readFileSync(join(dir, "encryption"), "utf8")).toBe(before);
  expect(openBodies(dir, right).isEncrypting).toBe(true);
});

test("looking at a plain folder with a key writes nothing", () => {
  const dir = tempFolder();
  expect(readBodies(dir, keyFile()).isEncrypting).toBe(true);
  expect(existsSync(join(dir, "encryption"))).toBe(false);
});
