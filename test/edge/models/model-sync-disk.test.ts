import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeBundle } from "@sluice/shared/codec/bundle-codec.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { signManifest } from "@sluice/shared/codec/signature.ts";
import { versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import { expect, test } from "vitest";
import { sampleBundle } from "../../shared/model/sample-bundle.ts";
import { GatewayBench, keys, model, v1, v2 } from "./gateway-bench.ts";

test("without an uplink a restarted gateway runs what it ran", async () => {
  const bench = await GatewayBench.runningFirst();
  bench.store.failure = "store.unavailable";
  const sync = await bench.start();
  expect(bench.running()).toEqual({ model, version: 1 });
  expect(sync.stats()).toMatchObject({ desiredRevision: 1, failedCount: 1, refusal: undefined });
});

test("a model that is already loaded is not downloaded again after a restart", async () => {
  const bench = await GatewayBench.runningFirst();
  const since = bench.clock.nowUs();
  await bench.clock.turn();
  const reads = bench.store.reads.length;
  await bench.start();
  const read = bench.store.reads.slice(reads);
  expect(read).not.toContain(`${versionPrefix(model, 1)}weights.bin`);
  expect(bench.swaps).toHaveLength(2); // Once from the lake, once from disk.
  expect(await bench.reported()).toMatchObject({ championSinceUs: since });
});

test("another model under the same name and number, from a lake that was made anew, is loaded", async () => {
  const bench = await GatewayBench.runningFirst();
  const again = sampleBundle({ version: 1, seed: 9, threshold: 7 });
  await bench.publish(again);
  await bench.desire({ model, version: 1 });
  await bench.clock.turn();
  expect(bench.swaps).toHaveLength(2);
  expect(bench.complaints.lines).toEqual([]);
});

test("a bundle that was damaged on disk is refused, the one before it runs, and the lake mends it", async () => {
  const bench = await GatewayBench.runningFirst();
  await bench.publish(v2);
  await bench.desire({ model, version: 2 });
  await bench.clock.turn();
  const folder = (await bench.stored()).find((name) => name.startsWith("pump-health-2-"));
  const path = join(bench.dir, "models", folder ?? "", "weights.bin");
  const bytes = await readFile(path);
  bytes[17] = (bytes[17] ?? 0) ^ 4;
  await writeFile(path, bytes);

  bench.store.failure = "store.unavailable";
  const sync = await bench.start();
  expect(bench.running()).toEqual({ model, version: 1 });
  expect(sync.stats().refusal).toMatchObject({
    version: 2,
    message: expect.stringMatching(/^weights\.hash/),
  });

  bench.store.failure = undefined;
  await bench.clock.turn();
  expect(bench.running()).toEqual({ model, version: 2 });
  expect(await bench.reported()).not.toHaveProperty("refusal");
});

test.each(["", "{}", '{"formatVersion":1,"desiredRevision":-1}', '{"formatVersion":9,"desiredRevision":1}'])(
  "rubbish %j for a pointer on disk is said, and the lake mends it",
  async (rubbish) => {
    const bench = await GatewayBench.runningFirst();
    await writeFile(join(bench.dir, "models", "models.json"), rubbish);
    bench.store.failure = "store.unavailable";
    const sync = await bench.start();
    expect(bench.stage.slot()).toEqual({ state: "empty" });
    expect(sync.stats().refusal).toMatchObject({ code: "models.pointer" });
    bench.store.failure = undefined;
    await bench.clock.turn();
    expect(bench.running()).toEqual({ model, version: 1 });
  },
);

test("a pointer cannot lead out of the gateway's folder", async () => {
  const bench = await GatewayBench.runningFirst();
  const pointer = {
    formatVersion: 1,
    desiredRevision: 1,
    current: { model, version: 1, folder: "../../etc", sinceUs: 1 },
  };
  await writeFile(join(bench.dir, "models", "models.json"), JSON.stringify(pointer));
  bench.store.failure = "store.unavailable";
  await bench.start();
  expect(bench.stage.slot()).toEqual({ state: "empty" });
});

test("a disk that cannot be written is reported, the old model stays, and it is tried again", async () => {
  const bench = await GatewayBench.make();
  await bench.publish(v1);
  await bench.desire({ model, version: 1 });
  // A file where the folder should be: no rights are needed for this disk to fail.
  await writeFile(join(bench.dir, "models"), "");
  await bench.start();
  expect(bench.stage.slot()).toEqual({ state: "empty" });
  expect(await bench.reported()).toMatchObject({ refusal: { code: "models.disk" } });
  expect(bench.sync?.stats().failedCount).toBe(1);
  await rm(join(bench.dir, "models"));
  await bench.clock.turn();
  expect(bench.running()).toEqual({ model, version: 1 });
  expect(await bench.reported()).not.toHaveProperty("refusal");
});

test("after a thousand swaps the disk holds the current and the previous bundle, and nothing half written", async () => {
  const bench = await GatewayBench.runningFirst();
  await bench.publish(v2);
  for (let turn = 0; turn < 1_000; turn++) {
    await bench.desire({ model, version: turn % 2 === 0 ? 2 : 1 });
    await bench.clock.turn();
  }
  expect(bench.swaps).toHaveLength(1_001);
  expect(bench.sync?.stats()).toMatchObject({
    installedCount: 1_001,
    refusedCount: 0,
    desiredRevision: 1_001,
  });
  const folders = await bench.stored();
  expect(folders.map((name) => name.slice(0, -9))).toEqual(["pump-health-1", "pump-health-2"]);
});

test("what was downloaded is on disk as it was signed", async () => {
  const bench = await GatewayBench.runningFirst();
  const sealed = encodeBundle(v1, signManifest(v1.manifest, keys.privateKeyPem));
  const [folder] = await bench.stored();
  const read = (name: string): Promise<Buffer> => readFile(join(bench.dir, "models", folder ?? "", name));
  expect(sha256Hex(await read("bundle.json"))).toBe(sha256Hex(sealed.manifest));
  expect(sha256Hex(await read("weights.bin"))).toBe(v1.manifest.weights.sha256);
  expect(sha256Hex(await read("signature"))).toBe(sha256Hex(sealed.signature));
});

test("what a crash left half written, or written and never pointed at, goes with the next swap; the rest stays", async () => {
  const bench = await GatewayBench.runningFirst();
  const models = join(bench.dir, "models");
  const [running = ""] = await bench.stored();
  for (const name of ["tmp-0a1b2c3d", "pump-health-9-0a1b2c3d"]) {
    await mkdir(join(models, name));
    await writeFile(join(models, name, "weights.bin"), "half");
  }
  await writeFile(join(models, "tmp-4e5f6a7b"), "half a pointer");
  await writeFile(join(models, "notes.txt"), "an operator's own");
  await bench.start();
  expect(bench.running()).toEqual({ model, version: 1 });
  await bench.publish(v2);
  await bench.desire({ model, version: 2 });
  await bench.clock.turn();
  const stored = await bench.stored();
  expect(stored).toContain(running);
  expect(stored.map((name) => name.replace(/-[0-9a-f]{8}$/, ""))).toEqual([
    "notes.txt",
    "pump-health-1",
    "pump-health-2",
  ]);
});
