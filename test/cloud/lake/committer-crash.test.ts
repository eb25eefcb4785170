// Goal: a committer may die at any instant, and two may run at once, and every row that landed is in the table once.
// Method: a store whose user dies at its k-th operation, for every k, before and after the operation takes effect; then
// a fresh committer finishes, and a reader of its own counts identities.
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { landingKey } from "@sluice/shared/contract/lake-key.ts";
import { expect, test } from "vitest";
import { DyingStore, YieldingStore } from "./faulty-store.ts";
import { DAY_US, EPOCH, landReadings } from "./rows.ts";
import { freshCommitter, idsOf, readingIds } from "./table-reader.ts";

const HOURS_6_US = 21_600_000_000;

/** Two gateways; one batch crosses midnight, one is damaged, one stray object lies about. */
async function landedLake(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await landReadings(store, 0, 7, { stepUs: HOURS_6_US });
  await landReadings(store, 8, 12);
  await landReadings(store, 0, 3, { gateway: "gw-2" });
  const damaged = landingKey({ stream: "readings", gateway: "gw-2", epoch: EPOCH, from: 4, to: 9 });
  await store.put(damaged, Uint8Array.of(1, 2, 3), { ifAbsent: true });
  await landReadings(store, 10, 11, { gateway: "gw-2" });
  await store.put("landing/notes.txt", Uint8Array.of(65));
  return store;
}

const expected = [...idsOf("gw-1", 0, 12), ...idsOf("gw-2", 0, 3), ...idsOf("gw-2", 10, 11)];

/** Small commits, so that there are several; no grace, so that deleting takes part. */
const eager = { commitBytesMax: 1, landingGraceMs: 0 };

test.each(["before", "after"] as const)(
  "a committer that dies %s any operation takes effect leaves no row missing or twice",
  async (death) => {
    const whole = new DyingStore(await landedLake(), Infinity, death);
    await freshCommitter(whole, eager).run();
    expect(whole.operations).toBeGreaterThan(20);
    for (let k = 0; k < whole.operations; k++) {
      const store = await landedLake();
      const dying = new DyingStore(store, k, death);
      const end = await freshCommitter(dying, eager)
        .run()
        .then(
          () => "finished",
          () => "died",
        );
      expect(end).toBe("died");
      const clock = new SimulatedClock(DAY_US + 86_400_000_000 + 1_000_000);
      const committer = freshCommitter(store, { ...eager, clock });
      const report = await committer.run();
      await clock.advance(1_000);
      const last = await committer.run();
      expect(await readingIds(store), `operation ${k}`).toEqual(expected);
      expect(report.gaps).toEqual([]);
      expect(last.rows).toBe(0);
      // Everything was committed or set aside, so nothing is left in landing.
      expect((await Array.fromAsync(store.list("landing/"))).map(({ key }) => key)).toEqual([]);
      expect(await setAsideKeys(store), `operation ${k}`).toEqual([
        expect.stringContaining("notes.txt"),
        expect.stringContaining("0000000000000004-0000000000000009"),
      ]);
    }
  },
);

async function setAsideKeys(store: MemoryStore): Promise<readonly string[]> {
  const keys = (await Array.fromAsync(store.list("quarantine/landing/"))).map(({ key }) => key);
  return keys.filter((key) => !key.endsWith(".reason.json"));
}

test("committers that run at once on one lake commit every row once", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = seededRandom(seed);
    const store = await landedLake();
    const committers = Array.from({ length: 3 }, () =>
      freshCommitter(new YieldingStore(store, () => random.int(4)), eager),
    );
    const reports = await Promise.all(committers.map((committer) => committer.run()));
    expect(await readingIds(store), `seed ${seed}`).toEqual(expected);
    // Each row is reported by the one committer that made it visible.
    expect(
      reports.reduce((rows, report) => rows + report.rows, 0),
      `seed ${seed}`,
    ).toBe(expected.length);
  }
});

test("a store that answers 'exists' to a commit of ours that got through does not make it happen twice", async () => {
  const store = await landedLake();
  const forgetful = new YieldingStore(store, () => 0);
  const put = forgetful.put.bind(forgetful);
  forgetful.put = async (key, body, options) => {
    const result = await put(key, body, options);
    return key.includes("_delta_log/") ? "exists" : result;
  };
  const report = await freshCommitter(forgetful, eager).run();
  expect(report.rows).toBe(expected.length);
  expect(await readingIds(store)).toEqual(expected);
});
