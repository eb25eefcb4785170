// Goal: what the registry signs and the rollout wishes is what a gateway runs, and what it reports is what the cloud reads.
// Method: the real registry, rollout, model sync and inference stage over one lake in memory.
import { Registry } from "@sluice/cloud/registry/registry.ts";
import { fleetState, rollOut } from "@sluice/cloud/rollout/rollout.ts";
import { versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import { expect, test } from "vitest";
import { GATEWAY, GatewayBench, keys, model } from "../../edge/models/gateway-bench.ts";
import { sampleBundle, samplePca } from "../../shared/model/sample-bundle.ts";

async function siteAndCloud() {
  const bench = await GatewayBench.make();
  const { store, clock } = bench;
  const registry = await Registry.open({
    store,
    model,
    privateKeyPem: keys.privateKeyPem,
    publicKeysPem: [keys.publicKeyPem],
    clock,
  });
  const train = async (seed: number): Promise<number> => {
    const { manifest, weights } = sampleBundle({ seed, ...(seed % 2 === 0 ? { network: samplePca } : {}) });
    const version = await registry.register(manifest, weights);
    await registry.setAlias("champion", version, { who: "test", why: `seed ${seed}` });
    return version;
  };
  const push = async (version: number | undefined): Promise<void> => {
    await rollOut({ store, gateways: [GATEWAY], model, version, reason: "test", clock });
    await bench.clock.turn();
  };
  return { bench, registry, train, push };
}

test("a promoted version comes down, a rollback goes back, and the cloud reads both", async () => {
  const { bench, registry, train, push } = await siteAndCloud();
  await bench.start();
  expect(await fleetState(bench.store)).toMatchObject([
    { gateway: GATEWAY, running: "none", desired: undefined },
  ]);
  for (const seed of [1, 2]) {
    await push(await train(seed));
    expect(bench.running()).toEqual({ model, version: seed });
  }
  await push(await registry.alias("previous"));
  expect(await fleetState(bench.store)).toMatchObject([
    {
      desired: "pump-health 1",
      running: "pump-health 1",
      desiredRevision: 3,
      answeredRevision: 3,
      refusal: undefined,
    },
  ]);
});

test("a version that was spoilt in the lake after it was registered is refused where it should run", async () => {
  const { bench, train, push } = await siteAndCloud();
  await bench.start();
  await push(await train(1));
  const second = await train(2);
  await bench.store.put(`${versionPrefix(model, second)}weights.bin`, new Uint8Array(32));
  await push(second);
  for (let turn = 0; turn < 3; turn++) await bench.clock.turn();
  expect(bench.running()).toEqual({ model, version: 1 });
  const [row] = await fleetState(bench.store);
  expect(row).toMatchObject({ desired: "pump-health 2", running: "pump-health 1", answeredRevision: 2 });
  expect(row?.refusal).toMatch(/^pump-health 2: weights\.hash: .*\[bundle\.refused\]$/);
});
