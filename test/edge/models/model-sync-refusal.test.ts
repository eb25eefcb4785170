import { modelsSettingsSchema } from "@sluice/edge/models/settings.ts";
import { encodeBundle } from "@sluice/shared/codec/bundle-codec.ts";
import { generateKeyPair, signManifest } from "@sluice/shared/codec/signature.ts";
import type { Bundle } from "@sluice/shared/contract/bundle.ts";
import { desiredKey, versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { expect, test } from "vitest";
import { sampleBundle, weightsSha256 } from "../../shared/model/sample-bundle.ts";
import { GatewayBench, keys, model, text, v1, v2, v3 } from "./gateway-bench.ts";

/** Signed by the right key, whatever is in it: what a mistake in training would look like. */
function signedAnyway(bundle: Bundle) {
  const sha256 = weightsSha256(bundle.weights);
  const manifest = { ...bundle.manifest, weights: { ...bundle.manifest.weights, sha256 } };
  return encodeBundle({ ...bundle, manifest }, signManifest(manifest, keys.privateKeyPem));
}

const theirs = generateKeyPair();
const sealed1 = signedAnyway(v1);
const sealed2 = signedAnyway(v2);
const otherModel = signedAnyway(sampleBundle({ model: "fan-health", version: 2 }));
const newer = text(JSON.stringify({ formatVersion: 2, model, version: 2 }));

const bad: readonly (readonly [string, RegExp, Partial<typeof sealed2>])[] = [
  ["a wrong signature", /^signature\.wrong/, { signature: sealed1.signature }],
  [
    "a signer that is not trusted",
    /^signature\.unknown_key/,
    encodeBundle(v2, signManifest(v2.manifest, theirs.privateKeyPem)),
  ],
  ["weights with another hash", /^weights\.hash/, { weights: sealed1.weights }],
  ["the files of another version", /^identity\.other: it is pump-health 1/, sealed1],
  ["the files of another model", /^identity\.other: it is fan-health 2/, otherModel],
  [
    "a NaN weight",
    /^unfit\.weights: weight 5 is NaN/,
    signedAnyway({ ...v2, weights: v2.weights.with(5, Number.NaN) }),
  ],
  ["truncated weights", /^weights\.length/, { weights: sealed2.weights.subarray(0, 40) }],
  ["a newer format", /^format\.newer: formatVersion 2/, { manifest: newer }],
  ["a manifest that is no JSON", /^manifest\.malformed/, { manifest: text("<html>") }],
  ["another model's golden vectors", /^unfit\.golden/, signedAnyway({ ...v2, weights: v3.weights })],
];

test.each(bad)(
  "a bundle with %s is refused and reported, and the old model stays",
  async (_, message, files) => {
    const bench = await GatewayBench.runningFirst();
    await bench.publish(v2, files);
    const revision = await bench.desire({ model, version: 2 });
    for (let turn = 0; turn < 4; turn++) await bench.clock.turn();
    expect(bench.running()).toEqual({ model, version: 1 });
    const reported = await bench.reported();
    expect(reported).toMatchObject({
      desiredRevision: revision,
      champion: { model, version: 1 },
      refusal: { model, version: 2, code: "bundle.refused", message: expect.stringMatching(message) },
    });
    expect(bench.complaints.lines).toHaveLength(1);

    // Refused once: not asked for again until the wish changes.
    const reads = bench.store.reads.length;
    for (let turn = 0; turn < 3; turn++) await bench.clock.turn();
    expect(bench.store.reads).toHaveLength(reads);

    // Also not by a restart in which the lake is away.
    bench.store.failure = "store.unavailable";
    await bench.start();
    expect(bench.running()).toEqual({ model, version: 1 });

    bench.store.failure = undefined;
    await bench.publish(v3);
    await bench.desire({ model, version: 3 });
    await bench.clock.turn();
    expect(bench.running()).toEqual({ model, version: 3 });
    expect(await bench.reported()).not.toHaveProperty("refusal");
  },
);

test("a download that is damaged on the way is tried again with back-off, and then loaded", async () => {
  const bench = await GatewayBench.runningFirst();
  await bench.publish(v2);
  bench.store.damage.set(`${versionPrefix(model, 2)}weights.bin`, 2);
  await bench.desire({ model, version: 2 });
  for (let turn = 0; turn < 3; turn++) await bench.clock.turn();
  expect(bench.running()).toEqual({ model, version: 2 });
  expect(bench.sync?.stats()).toMatchObject({ damagedDownloadCount: 2, refusedCount: 0 });
  expect(bench.complaints.lines).toEqual([]);
});

test("what a bundle's objects may weigh is asked before they are loaded", async () => {
  const bench = await GatewayBench.make();
  await bench.publish(v1);
  await bench.publish(v2, { manifest: new Uint8Array(4 * 1_048_576 + 1) });
  await bench.desire({ model, version: 1 });
  await bench.start({
    settings: { ...modelsSettingsSchema.parse({ publicKeys: ["x"] }), bundleBytesMax: 100 },
  });
  expect(await bench.reported()).toMatchObject({
    refusal: {
      model,
      version: 1,
      code: "bundle.too_large",
      message: expect.stringMatching(/332 bytes, the limit is 100/),
    },
  });
  expect(bench.store.reads).not.toContain(`${versionPrefix(model, 1)}weights.bin`);
  await bench.desire({ model, version: 2 });
  await bench.clock.turn();
  expect(await bench.reported()).toMatchObject({ refusal: { version: 2, code: "bundle.too_large" } });
});

test("a version that is not there, or not whole, is refused after a few tries", async () => {
  const bench = await GatewayBench.runningFirst();
  await bench.publish(v2);
  await bench.store.delete(`${versionPrefix(model, 2)}weights.bin`);
  await bench.desire({ model, version: 2 });
  for (let turn = 0; turn < 3; turn++) await bench.clock.turn();
  expect(bench.running()).toEqual({ model, version: 1 });
  expect(await bench.reported()).toMatchObject({
    refusal: { code: "bundle.missing", message: expect.stringMatching(/there is no .*000002\/weights\.bin/) },
  });
});

const garbage: readonly (readonly [string, string, Uint8Array])[] = [
  ["empty", "desired.invalid", new Uint8Array()],
  ["not JSON", "desired.invalid", text("{")],
  ["an array", "desired.invalid", text("[1]")],
  ["without its fields", "desired.invalid", text('{"formatVersion":1}')],
  ["of a newer format", "desired.newer", text('{"formatVersion":2}')],
  ["larger than a wish can be", "desired.invalid", text(" ".repeat(70_000))],
  [
    "of another gateway",
    "desired.other_gateway",
    text('{"formatVersion":1,"gateway":"gw-2","revision":9,"updatedAtUs":1,"reason":""}'),
  ],
];

test.each(garbage)("a wish that is %s is refused, the old model stays", async (_, code, body) => {
  const bench = await GatewayBench.runningFirst();
  await bench.store.put(desiredKey("gw-1"), body);
  await bench.clock.turn();
  await bench.clock.turn();
  expect(bench.running()).toEqual({ model, version: 1 });
  const reported = await bench.reported();
  expect(reported).toMatchObject({ desiredRevision: 1, champion: { version: 1 }, refusal: { code } });
  expect(reported.refusal).not.toHaveProperty("model");
  expect(bench.complaints.lines).toHaveLength(1);
});

test("keys that are no longer trusted take their models with them", async () => {
  const bench = await GatewayBench.runningFirst();
  await bench.start({ publicKeys: [theirs.publicKeyPem] });
  expect(bench.stage.slot()).toEqual({ state: "empty" });
  expect(await bench.reported()).toMatchObject({
    refusal: { code: "bundle.refused", message: expect.stringMatching(/^signature\.unknown_key/) },
  });
});

test("a slot that refuses what was verified keeps the old model, on disk too", async () => {
  const bench = await GatewayBench.runningFirst();
  await bench.start({
    slot: {
      current: () => bench.running(),
      swap: (bundle) => {
        if (bundle?.manifest.version === 2)
          throw new PipelineError("bundle.refused", "unfit.golden: another engine");
        bench.stage.swap(bundle);
      },
    },
  });
  await bench.publish(v2);
  await bench.desire({ model, version: 2 });
  await bench.clock.turn();
  expect(await bench.reported()).toMatchObject({ champion: { version: 1 }, refusal: { version: 2 } });
  bench.store.failure = "store.unavailable";
  await bench.start();
  expect(bench.running()).toEqual({ model, version: 1 });
});
