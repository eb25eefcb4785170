import { join } from "node:path";
import { type BundleFiles, describeWeights, encodeBundle } from "@sluice/shared/codec/bundle-codec.ts";
import { generateKeyPair, signManifest } from "@sluice/shared/codec/signature.ts";
import { BUNDLE_FILES, type Bundle, type BundleManifest } from "@sluice/shared/contract/bundle.ts";
import { type ReportedState, reportedStateSchema } from "@sluice/shared/contract/fleet.ts";
import { desiredKey, reportedKey, versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { FolderStore } from "@sluice/shared/store/folder.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { Publisher } from "@sluice/simulators/fleet/publisher.ts";
import { expect, test } from "vitest";
import { sampleBundle } from "../shared/model/sample-bundle.ts";
import { until } from "./programs.ts";
import { connectPublisher, GATEWAY, publishAll, Site } from "./site.ts";

const MODEL = "pump-health";
const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** The lake as seen by somebody who may write to it, with a signing key or without. */
class Registrar {
  readonly store: ObjectStore;
  readonly #privateKeyPem: string;
  #revision = 0;

  constructor(store: ObjectStore, privateKeyPem: string) {
    this.store = store;
    this.#privateKeyPem = privateKeyPem;
  }

  sign(bundle: Bundle, privateKeyPem = this.#privateKeyPem): BundleFiles {
    return encodeBundle(bundle, signManifest(bundle.manifest, privateKeyPem));
  }

  /** Puts a bundle under a version's keys and wishes it on the gateway; the wish's revision. */
  async wish(version: number, files: BundleFiles): Promise<number> {
    for (const file of ["weights", "signature", "manifest"] as const)
      await this.store.put(`${versionPrefix(MODEL, version)}${BUNDLE_FILES[file]}`, files[file]);
    this.#revision += 1;
    await this.store.put(
      desiredKey(GATEWAY),
      text({
        formatVersion: 1,
        gateway: GATEWAY,
        revision: this.#revision,
        champion: { model: MODEL, version },
        updatedAtUs: systemClock.nowUs(),
        reason: "a test wants it",
      }),
    );
    return this.#revision;
  }

  /** What the gateway reports once it has answered that revision. */
  reported(revision: number): Promise<ReportedState> {
    return until(`revision ${revision} is answered`, async () => {
      const result = await this.store.get(reportedKey(GATEWAY));
      if (result.state !== "found") return undefined;
      const state = reportedStateSchema.parse(JSON.parse(new TextDecoder().decode(result.object.body)));
      return state.desiredRevision === revision ? state : undefined;
    });
  }
}

/** A bundle with other weights than its checks allow, described and signed as if they were right. */
function withWeights(bundle: Bundle, change: (weights: Float32Array) => void): Bundle {
  const weights = bundle.weights.slice();
  change(weights);
  return { weights, manifest: { ...bundle.manifest, weights: describeWeights(weights) } };
}

const withManifest = (bundle: Bundle, change: Partial<BundleManifest>): Bundle => ({
  ...bundle,
  manifest: { ...bundle.manifest, ...change },
});

/** Bundles that must not be loaded, and what the refusal must begin with. */
function forgeries(registrar: Registrar): readonly { version: number; files: BundleFiles; reason: string }[] {
  const bundle = (version: number): Bundle => sampleBundle({ version, seed: version });
  const stranger = generateKeyPair();
  const flipped = { ...registrar.sign(bundle(4)) };
  flipped.weights = flipped.weights.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
  return [
    { version: 2, files: registrar.sign(bundle(2), stranger.privateKeyPem), reason: "signature.unknown_key" },
    {
      version: 3,
      files: { ...registrar.sign(bundle(3)), signature: registrar.sign(bundle(2)).signature },
      reason: "signature.wrong",
    },
    { version: 4, files: flipped, reason: "weights.hash" },
    {
      version: 5,
      files: registrar.sign(withWeights(bundle(5), (weights) => weights.fill(Number.NaN, 0, 1))),
      reason: "unfit.weights",
    },
    {
      version: 6,
      files: registrar.sign(withWeights(bundle(6), (weights) => weights.fill(0.5))),
      reason: "unfit.golden",
    },
    {
      version: 7,
      files: registrar.sign(withManifest(bundle(7), { formatVersion: 2 })),
      reason: "format.newer",
    },
    { version: 8, files: registrar.sign(bundle(1)), reason: "identity.other" },
    { version: 9, files: { ...registrar.sign(bundle(9)), manifest: text("{") }, reason: "manifest." },
  ];
}

/** Two minutes of a pump's readings, a second apart, from the given minute of the test on. */
async function runPump(publisher: Publisher, startMs: number, minute: number): Promise<void> {
  const topic = "plant/pump-1/telemetry";
  await publishAll(
    publisher,
    Array.from({ length: 120 }, (_, i) => {
      const ts = startMs + minute * 60_000 + i * 1_000;
      return [topic, JSON.stringify({ ts, accel: 1 + (i % 5), flow: 3, temp: 40 })] as const;
    }),
  );
}

// Goal: only what our key signed and what can score is loaded, and whatever comes, the old model goes on. Method: a
// good model, then one forgery after the other wished on a running gateway, each answered before the next; readings
// between them show that version 1 scores; then a good one again.
test("a bundle with a wrong signature, hash, version, format or weights is refused and reported, and the old model goes on scoring", async () => {
  const site = await Site.make({
    features: { views: [] },
    models: { downloadAttemptsMax: 2, pollIntervalMs: 100, reportIntervalMs: 200 },
  });
  const registrar = new Registrar(new FolderStore(join(site.dir, "lake")), site.keys.privateKeyPem);
  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  const startMs = Math.floor(systemClock.nowUs() / 60_000_000) * 60_000 - 60 * 60_000;
  const first = await registrar.wish(1, registrar.sign(sampleBundle({ version: 1, seed: 1 })));
  expect((await registrar.reported(first)).champion).toEqual({ model: MODEL, version: 1 });
  await runPump(publisher, startMs, 0);
  let { counters } = await gateway.drained();
  expect(counters["predictions"]).toBeGreaterThan(0);

  for (const [i, { version, files, reason }] of forgeries(registrar).entries()) {
    const before = counters["predictions"] ?? 0;
    const revision = await registrar.wish(version, files);
    const reported = await registrar.reported(revision);
    expect.soft(reported.refusal).toMatchObject({ model: MODEL, version, code: "bundle.refused" });
    expect.soft(reported.refusal?.message.slice(0, reason.length)).toBe(reason);
    expect.soft(reported.champion).toEqual({ model: MODEL, version: 1 });
    await runPump(publisher, startMs, 2 + 2 * i);
    const status = await gateway.drained();
    counters = status.counters;
    expect.soft(counters["predictions"]).toBeGreaterThan(before);
    expect.soft(status.inference.slot).toMatchObject({ state: "ready", model: { version: 1 } });
    expect.soft(status.models.refusal?.message).toContain(reason);
    expect.soft((await gateway.getHealth()).problems.join()).toContain(reason);
  }

  const good = await registrar.wish(10, registrar.sign(sampleBundle({ version: 10, seed: 10 })));
  const reported = await registrar.reported(good);
  expect(reported).toMatchObject({ champion: { model: MODEL, version: 10 } });
  expect(reported.refusal).toBeUndefined();
  await runPump(publisher, startMs, 2 + 2 * forgeries(registrar).length);
  expect(await gateway.drained()).toMatchObject({ healthy: true });
  const rows = await site.commitAndAsk(
    "select version, count(*) > 0 as scored from predictions group by 1 order by 1",
  );
  expect(rows).toEqual([
    { version: 1, scored: true },
    { version: 10, scored: true },
  ]);
}, 60_000);

test("a wish that is rubbish or of a newer format is refused and reported, and a restarted gateway still has its model", async () => {
  const site = await Site.make({ features: { views: [] } });
  const registrar = new Registrar(new FolderStore(join(site.dir, "lake")), site.keys.privateKeyPem);
  const gateway = await site.startGateway();
  const revision = await registrar.wish(1, registrar.sign(sampleBundle({ version: 1, seed: 1 })));
  await registrar.reported(revision);
  for (const { wish, code } of [
    { wish: new TextEncoder().encode("{ rubbish"), code: "desired.invalid" },
    { wish: text({ formatVersion: 2, gateway: GATEWAY }), code: "desired.newer" },
    {
      wish: text({ formatVersion: 1, gateway: "other", revision: 9, updatedAtUs: 0, reason: "" }),
      code: "desired.other_gateway",
    },
  ]) {
    await registrar.store.put(desiredKey(GATEWAY), wish);
    const status = await gateway.statusWhen(code, ({ models }) => models.refusal?.code === code);
    expect(status.inference.slot).toMatchObject({ state: "ready", model: { version: 1 } });
  }
  await gateway.kill();
  const again = await site.startGateway();
  expect((await again.getStatus()).inference.slot).toMatchObject({ state: "ready", model: { version: 1 } });
}, 30_000);
