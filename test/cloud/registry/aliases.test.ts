import { Registry } from "@sluice/cloud/registry/registry.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { generateKeyPair } from "@sluice/shared/codec/signature.ts";
import { aliasKey, versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { expect, test } from "vitest";
import { sampleBundle } from "../../shared/model/sample-bundle.ts";

const keys = generateKeyPair();
const model = "pump-health";
const by = (why: string) => ({ who: "ann", why });

const openRegistry = (store: MemoryStore): Promise<Registry> =>
  Registry.open({
    store,
    model,
    privateKeyPem: keys.privateKeyPem,
    publicKeysPem: [keys.publicKeyPem],
    clock: new SimulatedClock(1_000_000),
  });

/** A registry with three versions. */
async function threeVersions(): Promise<{ store: MemoryStore; registry: Registry }> {
  const store = new MemoryStore();
  const registry = await openRegistry(store);
  for (const seed of [1, 2, 3]) {
    const { manifest, weights } = sampleBundle({ seed });
    await registry.register(manifest, weights);
  }
  return { store, registry };
}

async function bytesOf(store: MemoryStore, key: string): Promise<Uint8Array> {
  const result = await store.get(key);
  if (result.state !== "found") throw new Error(`no ${key}`);
  return result.object.body;
}

test("an alias means what it was set to last, for every reader", async () => {
  const { store, registry } = await threeVersions();
  expect(await registry.alias("champion")).toBeUndefined();
  const other = await openRegistry(store);
  await registry.setAlias("champion", 1, by("first"));
  await registry.setAlias("candidate", 3, by("new"));
  expect([await other.alias("champion"), await other.alias("candidate")]).toEqual([1, 3]);
  await other.setAlias("champion", 3, by("better"));
  expect([await registry.alias("champion"), await registry.alias("candidate")]).toEqual([3, 3]);
});

test("previous is what was champion before, and a rollback is a promotion like any other", async () => {
  const { registry } = await threeVersions();
  await registry.setAlias("champion", 1, by("first"));
  expect(await registry.alias("previous")).toBeUndefined();
  await registry.setAlias("champion", 2, by("better"));
  expect(await registry.alias("previous")).toBe(1);
  await registry.setAlias("candidate", 3, by("not live"));
  expect(await registry.alias("previous")).toBe(1);
  await registry.setAlias("champion", (await registry.alias("previous")) ?? 0, by("rollback"));
  expect([await registry.alias("champion"), await registry.alias("previous")]).toEqual([1, 2]);
});

test("the history says who set what, from what, when and why, each entry with the hash of the one before", async () => {
  const { store, registry } = await threeVersions();
  await registry.setAlias("champion", 1, by("first"));
  await registry.setAlias("champion", 2, { who: "learning loop", why: "F1 0.91 against 0.88" });
  const first = await bytesOf(store, aliasKey(model, 1));
  expect(await registry.history()).toEqual([
    {
      formatVersion: 1,
      model,
      entry: 1,
      alias: "champion",
      version: 1,
      who: "ann",
      why: "first",
      atUs: 1_000_000,
    },
    {
      formatVersion: 1,
      model,
      entry: 2,
      alias: "champion",
      version: 2,
      fromVersion: 1,
      who: "learning loop",
      why: "F1 0.91 against 0.88",
      atUs: 1_000_000,
      previousSha256: sha256Hex(first),
    },
  ]);
});

test("setting an alias to what it means already writes nothing", async () => {
  const { registry } = await threeVersions();
  await registry.setAlias("champion", 2, by("once"));
  await registry.setAlias("champion", 2, by("twice"));
  expect(await registry.history()).toHaveLength(1);
});

test("writers that set aliases at once are put in a row, none is lost", async () => {
  const { store } = await threeVersions();
  const writers = await Promise.all(Array.from({ length: 6 }, () => openRegistry(store)));
  await Promise.all(
    writers.flatMap((writer, i) => [
      writer.setAlias(`ring-${i}`, 1, by("a")),
      writer.setAlias(`ring-${i}-b`, 2, by("b")),
      writer.alias("champion"),
    ]),
  );
  const history = await (await openRegistry(store)).history();
  expect(history.map(({ entry }) => entry)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  expect(new Set(history.map(({ alias }) => alias)).size).toBe(12);
});

test("writers that fight over one alias leave a history in which each entry continues the one before", async () => {
  const { store } = await threeVersions();
  const writers = await Promise.all(Array.from({ length: 6 }, () => openRegistry(store)));
  await Promise.all(writers.map((writer, i) => writer.setAlias("champion", 1 + (i % 3), by(`writer ${i}`))));
  const history = await (await openRegistry(store)).history();
  for (const [i, entry] of history.entries()) expect(entry.fromVersion).toBe(history[i - 1]?.version);
});

test("nobody can be sent to a version that is not there or cannot be trusted", async () => {
  const { store, registry } = await threeVersions();
  await expect(registry.setAlias("champion", 4, by("typo"))).rejects.toMatchObject({
    code: "registry.missing",
  });
  await store.put(`${versionPrefix(model, 2)}weights.bin`, new Uint8Array(8));
  await expect(registry.setAlias("champion", 2, by("spoilt"))).rejects.toMatchObject({
    code: "bundle.refused",
  });
  expect(await registry.history()).toEqual([]);
});

test.each(["previous", "", "Champion", "a b", "x".repeat(65), "../champion"])(
  "an alias cannot be called %j",
  async (name) => {
    const { registry } = await threeVersions();
    await expect(registry.setAlias(name, 1, by("?"))).rejects.toMatchObject({ code: "registry.alias" });
  },
);

test("an entry says who: nobody is refused, an endless reason is cut", async () => {
  const { registry } = await threeVersions();
  await expect(registry.setAlias("champion", 1, { who: "", why: "" })).rejects.toMatchObject({
    code: "registry.alias",
  });
  await registry.setAlias("champion", 1, { who: "ann", why: "x".repeat(100_000) });
  expect((await registry.history())[0]?.why).toHaveLength(4_000);
});

const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test("a past that was rewritten, cut or spoilt is found by whoever reads it", async () => {
  const { store, registry } = await threeVersions();
  for (const version of [1, 2, 3, 1]) await registry.setAlias("champion", version, by(`to ${version}`));
  const history = await registry.history();
  const originals = await Promise.all(history.map(({ entry }) => bytesOf(store, aliasKey(model, entry))));
  const spoilt: [number, Uint8Array | undefined][] = [
    [2, text({ ...history[1], who: "nobody" })],
    [2, text({ ...history[1], entry: 3 })],
    [1, text({ ...history[0], model: "fan-health" })],
    [3, text({ ...history[2], previousSha256: undefined })],
    [2, new Uint8Array()],
    [2, text({ hello: 1 })],
    [2, new Uint8Array(70_000).fill(32)],
    [1, undefined],
    [3, undefined],
  ];
  for (const [entry, body] of spoilt) {
    if (body === undefined) await store.delete(aliasKey(model, entry));
    else await store.put(aliasKey(model, entry), body);
    await expect(openRegistry(store), `entry ${entry}`).rejects.toMatchObject({ code: "registry.damaged" });
    const original = originals[entry - 1];
    if (original !== undefined) await store.put(aliasKey(model, entry), original);
  }
  expect(await (await openRegistry(store)).history()).toEqual(history);
});
