import { type BundleDraft, Registry, type RegistryOptions } from "@sluice/cloud/registry/registry.ts";
import { generateKeyPair } from "@sluice/shared/codec/signature.ts";
import type { Bundle } from "@sluice/shared/contract/bundle.ts";
import { versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { PutOptions } from "@sluice/shared/store/object-store.ts";
import { expect, test } from "vitest";
import { sampleBundle, samplePca } from "../../shared/model/sample-bundle.ts";

const keys = generateKeyPair();
const model = "pump-health";

const openRegistry = (store: MemoryStore, change: Partial<RegistryOptions> = {}): Promise<Registry> =>
  Registry.open({
    store,
    model,
    privateKeyPem: keys.privateKeyPem,
    publicKeysPem: [keys.publicKeyPem],
    clock: new SimulatedClock(1_000_000),
    ...change,
  });

const draft = ({ manifest }: Bundle): BundleDraft => manifest;
const register = (registry: Registry, seed: number): Promise<number> => {
  const bundle = sampleBundle({ seed, model: "some-other-name", version: 77 });
  return registry.register(draft(bundle), bundle.weights);
};

async function keysIn(store: MemoryStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list("")) found.push(key);
  return found;
}

test("a model is numbered, named and signed by the registry, and loaded as it was trained", async () => {
  const store = new MemoryStore();
  const registry = await openRegistry(store);
  const pca = sampleBundle({ network: samplePca });
  expect(await register(registry, 1)).toBe(1);
  expect(await registry.register(draft(pca), pca.weights)).toBe(2);
  const loaded = await registry.load(2);
  expect(loaded).toEqual({ weights: pca.weights, manifest: { ...pca.manifest, model, version: 2 } });
  expect(await keysIn(store)).toEqual(
    [1, 2].flatMap((version) =>
      ["bundle.json", "signature", "weights.bin"].map((name) => `${versionPrefix(model, version)}${name}`),
    ),
  );
});

test("versions are told with their training record, the oldest first", async () => {
  const registry = await openRegistry(new MemoryStore());
  for (const seed of [11, 12, 13]) await register(registry, seed);
  const versions = await registry.versions();
  const seeds = versions.map((one) => (one.state === "registered" ? one.manifest.training.seed : one.reason));
  expect(versions.map(({ version }) => version)).toEqual([1, 2, 3]);
  expect(seeds).toEqual([11, 12, 13]);
});

test("registries that register at once get a number each, and every version is whole", async () => {
  const store = new MemoryStore();
  const registries = await Promise.all(Array.from({ length: 8 }, () => openRegistry(store)));
  const numbers = await Promise.all(registries.map((registry, seed) => register(registry, seed + 1)));
  expect(new Set(numbers).size).toBe(8);
  const [registry] = registries;
  const seeds = await Promise.all(
    numbers.map(async (version) => (await registry?.load(version))?.manifest.training.seed),
  );
  expect(seeds).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test("the same training registered twice at once is never mixed", async () => {
  const store = new MemoryStore();
  const [a, b] = [await openRegistry(store), await openRegistry(store, { clock: new SimulatedClock(2) })];
  const bundle = sampleBundle();
  const later = { ...bundle.manifest, training: { ...bundle.manifest.training, trainedAtUs: 5 } };
  const numbers = await Promise.all([
    a.register(draft(bundle), bundle.weights),
    b.register(later, bundle.weights),
  ]);
  expect(new Set(numbers).size).toBe(2);
  for (const version of numbers) expect((await a.load(version)).manifest.version).toBe(version);
});

/** A store whose line is cut after so many puts, just before or just after the put was done. */
class CutStore extends MemoryStore {
  #left: number;
  readonly #before: boolean;

  constructor(puts: number, when: "before" | "after") {
    super();
    this.#left = puts;
    this.#before = when === "before";
  }

  override async put(key: string, body: Uint8Array, options?: PutOptions): Promise<"created" | "exists"> {
    const cut = this.#left-- === 0;
    if (cut && this.#before) throw new PipelineError("store.unavailable", "cut");
    const outcome = await super.put(key, body, options);
    if (cut) throw new PipelineError("store.unavailable", "cut");
    return outcome;
  }
}

test.each([
  [0, "before", []],
  [0, "after", []],
  [1, "before", []],
  [1, "after", []],
  [2, "before", []],
  [2, "after", [1]],
] as const)("a registration cut at put %i, %s it, leaves no half version", async (puts, when, there) => {
  const store = new CutStore(puts, when);
  const registry = await openRegistry(store);
  await expect(register(registry, 1)).rejects.toMatchObject({ code: "store.unavailable" });
  expect((await registry.versions()).map(({ version }) => version)).toEqual(there);
  const next = await register(registry, 2);
  expect((await registry.load(next)).manifest.training.seed).toBe(2);
  const whole = await Promise.all((await registry.versions()).map(({ version }) => registry.load(version)));
  expect(whole).toHaveLength(there.length + 1);
});

test("what cannot score is refused before anything is stored", async () => {
  const store = new MemoryStore();
  const registry = await openRegistry(store);
  const bundle = sampleBundle();
  const unfit = bundle.weights.with(4, Number.NaN);
  await expect(registry.register(draft(bundle), unfit)).rejects.toMatchObject({ code: "bundle.refused" });
  await expect(registry.register(draft(bundle), bundle.weights.subarray(2))).rejects.toThrow(
    /unfit\.weights/,
  );
  expect(await keysIn(store)).toEqual([]);
});

test("without a key, or with one that the public keys do not match, nothing is registered", async () => {
  const store = new MemoryStore();
  const { manifest, weights } = sampleBundle();
  const reader = await Registry.open({
    store,
    model,
    publicKeysPem: [keys.publicKeyPem],
    clock: new SimulatedClock(1),
  });
  await expect(reader.register(manifest, weights)).rejects.toMatchObject({ code: "registry.no_key" });
  const stranger = await openRegistry(store, { privateKeyPem: generateKeyPair().privateKeyPem });
  await expect(stranger.register(manifest, weights)).rejects.toThrow(/signature\.unknown_key/);
  await expect(openRegistry(store, { publicKeysPem: ["no key"] })).rejects.toMatchObject({
    code: "keys.invalid",
  });
  expect(await keysIn(store)).toEqual([]);
});

test("a version that is not there is said to be missing", async () => {
  const registry = await openRegistry(new MemoryStore());
  await expect(registry.load(3)).rejects.toMatchObject({
    code: "registry.missing",
    message: "there is no registry/pump-health/versions/000003/bundle.json",
  });
});

test("objects that were exchanged, copied or spoilt by hand are refused", async () => {
  const store = new MemoryStore();
  const registry = await openRegistry(store);
  await register(registry, 1);
  await register(registry, 2);
  const copy = async (name: string, from: number, to: number): Promise<void> => {
    const result = await store.get(`${versionPrefix(model, from)}${name}`);
    if (result.state === "found") await store.put(`${versionPrefix(model, to)}${name}`, result.object.body);
  };
  await copy("weights.bin", 1, 2);
  await expect(registry.load(2)).rejects.toThrow(/weights\.hash/);
  await copy("bundle.json", 1, 2);
  await expect(registry.load(2)).rejects.toThrow(/signature\.wrong/);
  await copy("signature", 1, 2);
  await expect(registry.load(2)).rejects.toThrow(/identity\.other: .*000002\/ holds pump-health 1/);
  await store.put(`${versionPrefix(model, 1)}bundle.json`, new TextEncoder().encode("{}"));
  expect((await registry.versions())[0]).toMatchObject({
    version: 1,
    state: "unreadable",
    reason: expect.stringMatching(/manifest\.invalid/),
  });
});
