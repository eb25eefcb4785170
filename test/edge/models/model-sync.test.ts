import { reportedKey } from "@sluice/shared/contract/lake-key.ts";
import { expect, test } from "vitest";
import { GatewayBench, model, text, v2, v3 } from "./gateway-bench.ts";

test("the desired model is downloaded, verified, swapped in and reported", async () => {
  const bench = await GatewayBench.runningFirst();
  expect(bench.running()).toEqual({ model, version: 1 });
  expect(await bench.reported()).toEqual({
    formatVersion: 1,
    gateway: "gw-1",
    epoch: "0b7e9f4e-6a68-4f6e-9d3c-0a8f5f3b6c11",
    softwareVersion: "0.1.0",
    reportedAtUs: 1_700_000_000_000_000,
    desiredRevision: 1,
    champion: { model, version: 1 },
    championSinceUs: 1_700_000_000_000_000,
    viewHashes: [],
    counters: { scored: 12 },
  });
  expect(bench.complaints.lines).toEqual([]);
});

test("a gateway that nobody wants anything of reports that it runs nothing", async () => {
  const bench = await GatewayBench.make();
  await bench.start();
  const reported = await bench.reported();
  expect(reported).toMatchObject({ desiredRevision: 0 });
  expect(reported).not.toHaveProperty("champion");
});

test("while the wish stays, nothing is read and reports come at their interval", async () => {
  const bench = await GatewayBench.runningFirst();
  const [reads, writes] = [bench.store.reads.length, bench.store.writes.length];
  for (let turn = 0; turn < 12; turn++) await bench.clock.turn(); // One minute of polls.
  expect(bench.store.reads.slice(reads)).toEqual([]);
  expect(bench.store.writes.slice(writes)).toEqual([reportedKey("gw-1"), reportedKey("gw-1")]);
  expect(bench.clock.waitsMs.every((ms) => ms === 5_000)).toBe(true);
});

test("a new wish is met at the next poll, and a nudge makes it come now", async () => {
  const bench = await GatewayBench.runningFirst();
  await bench.publish(v2);
  await bench.publish(v3);
  await bench.desire({ model, version: 2 });
  await bench.clock.turn();
  expect(bench.running()).toEqual({ model, version: 2 });

  await bench.desire({ model, version: 3 });
  const before = bench.clock.nowUs();
  bench.sync?.nudge();
  await bench.clock.asleep();
  expect(bench.running()).toEqual({ model, version: 3 });
  expect(bench.clock.nowUs()).toBe(before);
  expect(await bench.reported()).toMatchObject({ desiredRevision: 3, champion: { version: 3 } });
});

test("a wish for no model empties the slot, also after a restart", async () => {
  const bench = await GatewayBench.runningFirst();
  await bench.desire(undefined);
  await bench.clock.turn();
  expect(bench.stage.slot()).toEqual({ state: "empty" });
  expect(await bench.reported()).not.toHaveProperty("champion");
  bench.store.failure = "store.unavailable";
  await bench.start();
  expect(bench.stage.slot()).toEqual({ state: "empty" });
});

test.each(["store.unavailable", "store.timeout", "store.denied"])(
  "a lake that answers %s is complained of once, asked again ever more rarely, and found again",
  async (code) => {
    const bench = await GatewayBench.runningFirst();
    await bench.publish(v2);
    await bench.desire({ model, version: 2 });
    bench.store.failure = code;
    const turns = bench.clock.waitsMs.length;
    for (let turn = 0; turn < 8; turn++) await bench.clock.turn();
    const waits = bench.clock.waitsMs.slice(turns);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(5_000);
    expect(waits.at(-1)).toBeGreaterThan(30_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
    expect(bench.complaints.lines).toEqual([expect.stringContaining(code)]);
    expect(bench.running()).toEqual({ model, version: 1 });

    bench.store.failure = undefined;
    await bench.clock.turn();
    expect(bench.running()).toEqual({ model, version: 2 });
    expect(bench.clock.waitsMs.at(-1)).toBe(5_000);
  },
);

test("what could not be reported while the lake was away is reported when it is back", async () => {
  const bench = await GatewayBench.runningFirst();
  await bench.publish(v2, { manifest: text('{"formatVersion":2}') });
  await bench.desire({ model, version: 2 });
  const put = bench.store.put.bind(bench.store);
  bench.store.put = async (key, ...rest) => {
    if (key === reportedKey("gw-1")) bench.store.failure = "store.unavailable";
    return put(key, ...rest);
  };
  await bench.clock.turn();
  bench.store.put = put;
  bench.store.failure = undefined;
  expect(await bench.reported()).not.toHaveProperty("refusal");
  await bench.clock.turn();
  expect(await bench.reported()).toMatchObject({ refusal: { version: 2 } });
});

test("a broken promise of ours ends the search for models, loudly, and leaves the model", async () => {
  const bench = await GatewayBench.runningFirst();
  const { promise, resolve } = Promise.withResolvers<Error>();
  bench.store.head = () => Promise.reject(new TypeError("a bug"));
  await Promise.race([bench.start({ failed: resolve }), promise]);
  expect(await promise).toMatchObject({ message: "a bug" });
  expect(bench.running()).toEqual({ model, version: 1 });
  expect(bench.complaints.lines).toEqual([
    expect.stringMatching(/^error: looking for models has ended: .*a bug/),
  ]);
});
