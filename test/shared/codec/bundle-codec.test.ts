import { type BundleFiles, decodeBundle, encodeBundle } from "@sluice/shared/codec/bundle-codec.ts";
import { BundleRefused } from "@sluice/shared/codec/bundle-refusal.ts";
import { generateKeyPair, signManifest } from "@sluice/shared/codec/signature.ts";
import type { Bundle } from "@sluice/shared/contract/bundle.ts";
import { recoveryOf } from "@sluice/shared/runtime/errors.ts";
import { expect, test } from "vitest";
import { sampleBundle, samplePca, weightsSha256 } from "../model/sample-bundle.ts";

const keys = generateKeyPair();
const trusted = [keys.publicKeyPem];

const sealed = (bundle: Bundle): BundleFiles =>
  encodeBundle(bundle, signManifest(bundle.manifest, keys.privateKeyPem));

/** A bundle as a careless signer would make it: its hash fits its weights, nothing else is looked at. */
const signedAnyway = (bundle: Bundle): BundleFiles => {
  const sha256 = weightsSha256(bundle.weights);
  return sealed({
    ...bundle,
    manifest: { ...bundle.manifest, weights: { ...bundle.manifest.weights, sha256 } },
  });
};

function refused(files: BundleFiles): BundleRefused | undefined {
  try {
    decodeBundle(files, trusted);
  } catch (error) {
    if (error instanceof BundleRefused) return error;
    throw error;
  }
  return undefined;
}

const refusal = (files: BundleFiles): string => refused(files)?.reason ?? "let in";

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const parse = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));

const bundle = sampleBundle();
const files = sealed(bundle);

test("what was encoded is decoded, bit for bit", () => {
  for (const made of [bundle, sampleBundle({ network: samplePca, version: 7 })]) {
    const read = decodeBundle(sealed(made), trusted);
    expect(read).toEqual(made);
  }
});

test("weights are little-endian floats, and stand where they like in memory", () => {
  const offset = new Uint8Array(files.weights.length + 3);
  offset.set(files.weights, 3);
  expect(new DataView(files.weights.buffer).getFloat32(8, true)).toBe(bundle.weights[2]);
  expect(decodeBundle({ ...files, weights: offset.subarray(3) }, trusted).weights).toEqual(bundle.weights);
});

test("a manifest may be written with other spaces and another order: its canonical JSON is what was signed", () => {
  const pretty = JSON.stringify(parse(files.manifest), undefined, 2);
  expect(refusal({ ...files, manifest: new TextEncoder().encode(pretty) })).toBe("let in");
});

const other = sealed(sampleBundle({ version: 2, seed: 2 }));
const broken: readonly (readonly [string, string, BundleFiles])[] = [
  ["an empty manifest", "manifest.malformed", { ...files, manifest: new Uint8Array() }],
  ["a torn manifest", "manifest.malformed", { ...files, manifest: files.manifest.subarray(0, 300) }],
  ["a manifest that is not UTF-8", "manifest.malformed", { ...files, manifest: Uint8Array.of(34, 255, 34) }],
  ["null for a manifest", "manifest.invalid", { ...files, manifest: json(null) }],
  [
    "a manifest with a key too many",
    "manifest.invalid",
    { ...files, manifest: json({ ...bundle.manifest, x: 1 }) },
  ],
  ["a newer format", "format.newer", { ...files, manifest: json({ formatVersion: 2, whatever: true }) }],
  [
    "an older format",
    "unfit.format",
    sealed({ ...bundle, manifest: { ...bundle.manifest, formatVersion: 0 } }),
  ],
  ["an empty signature", "signature.malformed", { ...files, signature: new Uint8Array() }],
  [
    "a signature of another kind",
    "signature.malformed",
    { ...files, signature: json({ algorithm: "none" }) },
  ],
  ["the signature of another version", "signature.wrong", { ...files, signature: other.signature }],
  ["the manifest of another version", "signature.wrong", { ...files, manifest: other.manifest }],
  ["the weights of another version", "weights.hash", { ...files, weights: other.weights }],
  ["truncated weights", "weights.length", { ...files, weights: files.weights.subarray(0, -4) }],
  [
    "weights with half a number more",
    "weights.length",
    { ...files, weights: Buffer.concat([files.weights, Buffer.alloc(2)]) },
  ],
  ["no weights", "weights.length", { ...files, weights: new Uint8Array() }],
  [
    "a NaN weight that was signed",
    "unfit.weights",
    signedAnyway({ ...bundle, weights: bundle.weights.with(3, Number.NaN) }),
  ],
  [
    "other weights that were signed",
    "unfit.golden",
    signedAnyway({ ...bundle, weights: bundle.weights.with(3, 0.5) }),
  ],
  [
    "a view hash that is not the view's",
    "view.hash",
    sealed({ ...bundle, manifest: { ...bundle.manifest, viewHash: "0".repeat(64) } }),
  ],
];

test.each(broken)("%s is refused as %s", (_, reason, files) => {
  const error = refused(files);
  expect(error).toMatchObject({ code: "bundle.refused", reason });
  expect(error?.message).toContain(`${reason}: `);
  expect(error?.hint).toMatch(/\.$/);
  expect(recoveryOf(error)).toBe("quarantine");
});

test("a bundle by a signer that nobody trusts is refused", () => {
  const theirs = generateKeyPair();
  const signature = signManifest(bundle.manifest, theirs.privateKeyPem);
  expect(refusal(encodeBundle(bundle, signature))).toBe("signature.unknown_key");
});

/** Every path to a leaf of a JSON value. */
function leaves(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, member]) => leaves(member, [...path, key]));
}

function changed(value: unknown): unknown {
  if (typeof value === "number") return value + 1;
  if (typeof value === "string")
    return value.endsWith("a") ? `${value.slice(0, -1)}b` : `${value.slice(0, -1)}a`;
  return typeof value === "boolean" ? !value : 0;
}

function withChange(value: unknown, [key, ...rest]: readonly (string | number)[]): unknown {
  if (key === undefined) return changed(value);
  if (Array.isArray(value)) return value.with(Number(key), withChange(value[Number(key)], rest));
  if (typeof value !== "object" || value === null) throw new Error("not a path of this value");
  return { ...value, [key]: withChange(Reflect.get(value, key), rest) };
}

test("no field of a signed manifest can be changed unnoticed", () => {
  const manifest = parse(files.manifest);
  const paths = leaves(manifest);
  expect(paths.length).toBeGreaterThan(70);
  const letIn = paths.filter(
    (path) => refusal({ ...files, manifest: json(withChange(manifest, path)) }) === "let in",
  );
  expect(letIn).toEqual([]);
});

test("no bit of the weights or the signature can be flipped unnoticed", () => {
  const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
    const copy = Uint8Array.from(bytes);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return copy;
  };
  const letIn: string[] = [];
  for (let bit = 0; bit < files.weights.length * 8; bit += 37)
    if (refusal({ ...files, weights: flipped(files.weights, bit) }) === "let in")
      letIn.push(`weights ${bit}`);
  for (let bit = 0; bit < files.signature.length * 8; bit++)
    if (refusal({ ...files, signature: flipped(files.signature, bit) }) === "let in")
      letIn.push(`signature ${bit}`);
  expect(letIn).toEqual([]);
});
