// Goal: of any number of processes at most one has the lease at any moment, whatever their wall clocks say and however
// the store answers, and one gets it within the fail-over time after the holder has died.
// Method: scenes on simulated time, then random ones (lease.property.test.ts).
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { Lease } from "@sluice/cloud/lake/lease.ts";
import { expect, test } from "vitest";
import { DAY_US } from "./rows.ts";

const FAIL_OVER_MS = 60_000;
const MINUTES_20_US = 1_200_000_000;

/** The same time as `clock`, by a wall clock that is off. */
const skewed = (clock: SimulatedClock, byUs: number): Clock => ({
  nowUs: () => clock.nowUs() + byUs,
  monotonicUs: () => clock.monotonicUs() + byUs * 7,
  sleep: (ms, signal) => clock.sleep(ms, signal),
});

function world(): {
  readonly store: MemoryStore;
  readonly clock: SimulatedClock;
  readonly lease: (owner: string, skewUs?: number) => Lease;
} {
  const store = new MemoryStore();
  const clock = new SimulatedClock(DAY_US);
  const lease = (owner: string, skewUs = 0): Lease =>
    new Lease({ store, clock: skewed(clock, skewUs), name: "lake", failOverMs: FAIL_OVER_MS, owner });
  return { store, clock, lease };
}

test("one of many that ask at once has the lease, and the others are told who and until when", async () => {
  const { lease } = world();
  const all = Array.from({ length: 10 }, (_, i) => lease(`host-${i}`));
  const states = await Promise.all(all.map((one) => one.ask()));
  expect(all.filter((one) => one.isHeld)).toHaveLength(1);
  const taken = states.find((state) => state.state === "taken");
  expect(taken).toEqual({
    state: "taken",
    term: 1,
    by: expect.stringMatching(/^host-\d$/),
    since: "2026-11-21T00:00:00.000Z",
    until: "2026-11-21T00:00:45.000Z",
    freeInMs: 45_000,
  });
});

test.each([0, MINUTES_20_US, -MINUTES_20_US])(
  "clocks that differ by %d µs neither steal a lease that is renewed nor are blocked by one whose holder died",
  async (skewUs) => {
    const { clock, lease } = world();
    const [first, second] = [lease("a"), lease("b", skewUs)];
    await first.ask();
    for (let i = 0; i < 60; i++) {
      expect((await second.ask()).state).toBe("taken");
      await clock.advance(second.lookEveryMs);
      expect((await first.ask()).state).toBe("held");
    }
    // The first one dies here.
    let waitedMs = 0;
    for (; (await second.ask()).state === "taken"; waitedMs += second.lookEveryMs)
      await clock.advance(second.lookEveryMs);
    expect(waitedMs).toBeLessThanOrEqual(FAIL_OVER_MS);
    expect(first.isHeld).toBe(false);
    expect(() => first.requireHeld()).toThrow(/no longer ours/);
    expect(await first.ask()).toMatchObject({ state: "taken", by: "b" });
  },
);

test("a lease that is given back is had at once, by whoever asks", async () => {
  const { lease } = world();
  const [first, second] = [lease("a"), lease("b")];
  await first.ask();
  await first.release();
  await first.release();
  expect(first.isHeld).toBe(false);
  expect(await second.ask()).toMatchObject({ state: "held", term: 3 });
});

test("work that lasts much longer than a term keeps the lease while the store answers", async () => {
  const { clock, lease, store } = world();
  const [first, second] = [lease("a"), lease("b")];
  await first.ask();
  const long = first.during(async () => {
    for (let i = 0; i < 100; i++) {
      await clock.sleep(5_000);
      first.requireHeld();
    }
    return "done";
  });
  for (let i = 0; i < 100; i++) {
    await clock.advance(5_000);
    expect((await second.ask()).state).toBe("taken");
  }
  expect(await long).toBe("done");
  expect((await Array.fromAsync(store.list("leases/lake/"))).length).toBeGreaterThan(20);
});

test("a holder that cannot reach the store loses the lease before another can have it", async () => {
  const { clock, lease, store } = world();
  const [first, second] = [lease("a"), lease("b")];
  await first.ask();
  await second.ask();
  const put = store.put.bind(store);
  store.put = async () => Promise.reject(new Error("unreachable"));
  const lost = first.during(async () => {
    for (;;) {
      await clock.sleep(1_000);
      first.requireHeld();
    }
  });
  const outcome = lost.catch((error: unknown) => error);
  await clock.advance(46_000);
  expect(await outcome).toMatchObject({ code: "lake.lease_lost" });
  store.put = put;
  expect((await second.ask()).state).toBe("held");
});

test("a term whose holder died yesterday is had at once", async () => {
  const { clock, lease } = world();
  await lease("a").ask();
  await clock.advance(86_400_000);
  expect((await lease("b").ask()).state).toBe("held");
});

test("old terms are deleted, and who slept meanwhile and takes a number of theirs does not have the lease", async () => {
  const { clock, lease, store } = world();
  const [holder, sleeper] = [lease("a"), lease("b")];
  await holder.ask();
  await sleeper.ask();
  await clock.advance(50_000);
  // It looks, finds the term run out, and is stopped before its put for three hours.
  const put = store.put.bind(store);
  const { promise: stopped, resolve: goOn } = Promise.withResolvers<void>();
  store.put = async (key, body, options) => {
    store.put = put;
    await stopped;
    return put(key, body, options);
  };
  const slept = sleeper.ask();
  await clock.advance(0);
  for (let i = 0; i < 20; i++) await Promise.resolve();
  const other = lease("c");
  for (let i = 0; i < 700; i++) {
    await holder.ask();
    await other.ask();
    await clock.advance(15_000);
  }
  expect((await Array.fromAsync(store.list("leases/lake/"))).length).toBeLessThan(300);
  expect((await store.get("leases/lake/000000000002.json")).state).toBe("missing");
  goOn();
  expect((await slept).state).toBe("taken");
  expect([holder, other, sleeper].filter((one) => one.isHeld)).toHaveLength(1);
  expect(sleeper.isHeld).toBe(false);
});

test("an object that is no term counts as somebody's until its time is over", async () => {
  const { clock, lease, store } = world();
  await store.put("leases/lake/000000000007.json", Uint8Array.of(0, 1, 2));
  await store.put("leases/lake/notes.txt", Uint8Array.of(0));
  const one = lease("a");
  expect(await one.ask()).toMatchObject({ state: "taken", by: "unknown", term: 7 });
  await clock.advance(45_000);
  expect(await one.ask()).toMatchObject({ state: "held", term: 8 });
});
