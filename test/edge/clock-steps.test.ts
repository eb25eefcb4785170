import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RESTART_READINGS } from "@sluice/shared/features/device-windows.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { expect, onTestFinished, test } from "vitest";
import { Lake } from "../../cloud/lake/lake.ts";
import { lakeSettingsSchema } from "../../cloud/lake/settings.ts";
import { EPOCH, land } from "../cloud/lake/rows.ts";
import { tempFolder } from "./buffer/fixtures.ts";
import { ClockSite, RIGHT_US } from "./clock-site.ts";

const HOUR_US = 3_600_000_000;
const YEARS_US = RIGHT_US; // From 1970.

/** What the lake makes of everything that a site has stored: offset, received, measured, as microseconds. */
async function corrected(
  site: ClockSite,
): Promise<{ offset: number; receivedAtUs: number; measuredAtUs: number }[]> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-lake-"));
  const store = new MemoryStore();
  const lake = await Lake.open({
    store,
    settings: lakeSettingsSchema.parse({ cacheDir: dir }),
    clock: new SimulatedClock(RIGHT_US),
    log: silentLog,
  });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  const at = { gateway: "gw-1", epoch: EPOCH, from: 0 };
  await land(store, { ...at, stream: "readings", to: site.arrivedUs.length - 1 }, site.readings());
  const events = site.events();
  if (events.length > 0) await land(store, { ...at, stream: "events", to: events.length - 1 }, [events]);
  await lake.commitLanding();
  const { rows } = await lake.sql(
    `SELECT "offset", epoch_us(received_at), epoch_us(measured_at) FROM readings_corrected ORDER BY "offset", "index"`,
  );
  return rows.map(([offset, received, measured]) => ({
    offset: Number(offset),
    receivedAtUs: Number(received),
    measuredAtUs: Number(measured),
  }));
}

const rightTimes = (site: ClockSite): unknown[] =>
  site.arrivedUs.map((rightUs, offset) => ({ offset, receivedAtUs: rightUs, measuredAtUs: rightUs }));

/*
 * Goal: whatever is done to the gateway's clock, every reading is stored once, and the lake knows to the microsecond when
 * each came once the clock is right.
 * Method: a device without a clock, a gateway on a simulated clock that ends up right, the real log, pipeline and lake.
 */
test.each([
  ["hours forward, between two groups", -3 * HOUR_US, [{ stepUs: 3 * HOUR_US, stepAt: 0 }]],
  ["hours back, between two groups", 3 * HOUR_US, [{ stepUs: -3 * HOUR_US, stepAt: 0 }]],
  ["forward while a group comes in", -2 * HOUR_US, [{ stepUs: 2 * HOUR_US, stepAt: 7 }]],
  ["back while a group comes in", 2 * HOUR_US, [{ stepUs: -2 * HOUR_US, stepAt: 7 }]],
  ["forward between the last message of a group and its commit", -HOUR_US, [{ stepUs: HOUR_US, stepAt: 10 }]],
  ["back between the last message of a group and its commit", HOUR_US, [{ stepUs: -HOUR_US, stepAt: 10 }]],
  [
    "twice",
    -HOUR_US,
    [
      { stepUs: 5 * HOUR_US, stepAt: 3 },
      { stepUs: -4 * HOUR_US, stepAt: 6 },
    ],
  ],
  ["from 1970, by NTP", -YEARS_US, [{ stepUs: YEARS_US, stepAt: 5 }]],
] as const)("readings have their right times after the clock was set %s", async (_, offUs, steps) => {
  const site = new ClockSite(tempFolder(), RIGHT_US + offUs);
  await site.publish(10);
  for (const step of steps) {
    await site.publish(10, step);
    await site.publish(10);
  }
  site.run();
  expect(site.events().map(({ kind, facts }) => [kind, facts?.["stepUs"]])).toEqual(
    steps.map(({ stepUs }) => ["clock.stepped", stepUs]),
  );
  expect(site.counters).toMatchObject({ "clock.steps": steps.length, readings: site.arrivedUs.length });
  expect(await corrected(site)).toEqual(rightTimes(site));
  site.close();
});

test("a clock that is set before the first message leaves nothing to correct", async () => {
  const site = new ClockSite(tempFolder(), RIGHT_US - 5 * HOUR_US);
  site.clock.step(5 * HOUR_US);
  await site.publish(10);
  await site.publish(10);
  site.run();
  expect(site.events()).toEqual([]);
  expect(await corrected(site)).toEqual(rightTimes(site));
  site.close();
});

test("each step is told once and each reading stored once, wherever the gateway is restarted", async () => {
  const site = new ClockSite(tempFolder(), RIGHT_US - HOUR_US);
  await site.publish(5);
  site.run();
  await site.publish(5, { stepUs: 2 * HOUR_US, stepAt: 2 });
  site.restart(); // Before the step was decoded: it is told by the next process.
  site.run();
  site.restart(); // After it was committed.
  await site.publish(5);
  await site.publish(5, { stepUs: -HOUR_US, stepAt: 5 }); // Its group ends with it: that is told by the next one.
  await site.publish(5);
  site.run();
  site.pipeline.checkpoint();
  site.restart();
  await site.publish(5);
  site.run();
  expect(site.events().map(({ offsets, facts }) => [facts?.["boot"], facts?.["stepUs"], offsets])).toEqual([
    ["boot-0", 2 * HOUR_US, { from: 0, through: 6 }],
    ["boot-2", -HOUR_US, { from: 10, through: 19 }],
  ]);
  expect(site.counters).toMatchObject({ "clock.steps": 2, messages: 30, readings: 30 });
  const offsets = site.readings().flatMap((block) => [...block.offset]);
  expect(offsets).toEqual(offsets.map((_, i) => i));
  site.close();
});

test("features go on within seconds after the clock was set back by hours, and at once after it was set forward", async () => {
  const site = new ClockSite(tempFolder(), RIGHT_US);
  await site.publish(200, { stepUs: 9 * HOUR_US, stepAt: 100 });
  await site.publish(200, { stepUs: -9 * HOUR_US, stepAt: 0 });
  site.run();
  const startsUs = site.vectors().map(({ windowStartUs }) => windowStartUs);
  const ahead = startsUs.filter((startUs) => startUs > RIGHT_US + 8 * HOUR_US);
  expect(ahead.length).toBeGreaterThanOrEqual(7);
  const after = startsUs.slice(startsUs.lastIndexOf(ahead.at(-1) ?? 0) + 1);
  const wait = (RESTART_READINGS + 20) * 100_000; // The row, and the rest of a window that was begun.
  expect(after[0]).toBeLessThan((site.arrivedUs[200] ?? 0) + wait);
  expect(after.length).toBeGreaterThanOrEqual(10);
  expect(site.pipeline.features.counters()).toMatchObject({ "features.test_view.restarts": 1 });
  site.close();
});

test("while the clock is known to be wrong device times ahead are taken, arrivals are marked, and the status says so", async () => {
  const site = new ClockSite(tempFolder(), 0);
  expect(site.pipeline.clockProblem()).toMatch(
    /it says 1970-01-01T00:00:00\.000Z, before this software was made/,
  );
  await site.publish(3);
  await site.publish(3, { aheadUs: 0 }); // The device has the right time, 56 years ahead of the gateway's.
  await site.publish(3, { stepUs: YEARS_US, stepAt: 1 });
  await site.publish(3, { aheadUs: HOUR_US });
  site.run();
  expect(site.pipeline.clockProblem()).toBeUndefined();
  expect(Object.fromEntries(site.clocks())).toEqual({
    ...{ 0: "unsure", 1: "unsure", 2: "unsure" },
    ...{ 3: "device", 4: "device", 5: "device" },
    ...{ 6: "unsure", 7: "arrival", 8: "arrival" },
  });
  expect(site.counters).toMatchObject({ "quarantine.time.future": 3 }); // It can be judged again.
  const right = await corrected(site);
  expect(right.map(({ receivedAtUs }) => receivedAtUs)).toEqual(site.arrivedUs.slice(0, 9));
  expect(right.map(({ measuredAtUs }) => measuredAtUs)).toEqual(site.arrivedUs.slice(0, 9));
  site.close();
});

test("a clock behind what was stored before a restart is wrong until it is set or time has caught up", async () => {
  const site = new ClockSite(tempFolder(), RIGHT_US);
  await site.publish(3);
  site.run();
  site.restart();
  site.clock.step(-2 * HOUR_US); // The battery of its clock is empty.
  const problem = /it says 2026-11-21T06:00:.*, before 2026-11-21T08:00:/;
  expect(site.pipeline.clockProblem()).toMatch(problem); // Before the first message.
  await site.publish(3);
  site.run();
  expect(site.pipeline.clockProblem()).toMatch(problem);
  site.restart(); // It remembers.
  expect(site.pipeline.clockProblem()).toMatch(problem);
  await site.publish(3, { stepUs: 2 * HOUR_US, stepAt: 2 });
  await site.publish(3, { stepUs: 0 });
  site.run();
  expect(site.pipeline.clockProblem()).toBeUndefined();
  expect([...site.clocks().values()].join(" ")).toBe(
    "arrival arrival arrival unsure unsure unsure unsure unsure arrival arrival arrival arrival",
  );
  site.close();
});
