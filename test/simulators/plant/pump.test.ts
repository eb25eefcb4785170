import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { expect, test } from "vitest";
import { ambientAt, demandAt, DEMAND_PROFILES } from "../../../simulators/plant/demand.ts";
import { buildPump, settledPump, stepPump } from "../../../simulators/plant/pump.ts";
import type { PumpLoad } from "../../../simulators/plant/pump.ts";

const BUILD = buildPump(seededRandom(7), 0.25);
const SOUND: PumpLoad = { demand: 0.85, ambientC: 22, bearing: 0, cavitation: 0, valve: 0 };

/** Where a pump is once it has settled under a load. */
const settled = (changes: Partial<PumpLoad> = {}) => {
  const load = { ...SOUND, ...changes };
  return stepPump(BUILD, settledPump(BUILD, load), load, 0.1);
};

test("more demand means more flow and current, less pressure and speed", () => {
  const points = [0.6, 0.7, 0.8, 0.9, 1, 1.1].map((demand) => settled({ demand }));
  for (const [i, point] of points.entries()) {
    const before = points[i - 1];
    if (before === undefined) continue;
    expect(point.flowM3h).toBeGreaterThan(before.flowM3h);
    expect(point.currentA).toBeGreaterThan(before.currentA);
    expect(point.pressureBar).toBeLessThan(before.pressureBar);
    expect(point.state.speedRpm).toBeLessThan(before.state.speedRpm);
  }
});

test("the speed lies below the synchronous one by the slip of a loaded motor", () => {
  const { state, shaftPowerW } = settled({ demand: 1 });
  expect(state.speedRpm).toBeLessThan(3_000);
  expect((3_000 - state.speedRpm) / 3_000).toBeCloseTo((0.018 * shaftPowerW) / 22_000, 5);
});

test("the water gets less power than the shaft, and the shaft less than the line", () => {
  const { flowM3h, headM, shaftPowerW, currentA } = settled();
  const hydraulicW = (998 * 9.81 * flowM3h * headM) / 3_600;
  expect(hydraulicW / shaftPowerW).toBeGreaterThan(0.6);
  expect(hydraulicW / shaftPowerW).toBeLessThan(0.8);
  expect(Math.sqrt(3) * 400 * currentA).toBeGreaterThan(shaftPowerW);
});

test("a valve that closes throttles: less flow, more pressure, less current", () => {
  const [open, closing] = [settled(), settled({ valve: 0.5 })];
  expect(closing.flowM3h).toBeLessThan(0.7 * open.flowM3h);
  expect(closing.pressureBar).toBeGreaterThan(open.pressureBar);
  expect(closing.currentA).toBeLessThan(open.currentA);
});

test("cavitation costs head and flow; a worn bearing costs little power but runs hot", () => {
  const [sound, cavitating, worn] = [settled(), settled({ cavitation: 1 }), settled({ bearing: 1 })];
  expect(cavitating.pressureBar).toBeLessThan(sound.pressureBar);
  expect(cavitating.flowM3h).toBeLessThan(sound.flowM3h);
  expect(worn.shaftPowerW / sound.shaftPowerW).toBeLessThan(1.05);
  expect(worn.state.bearingTempC - sound.state.bearingTempC).toBeGreaterThan(20);
});

test("the bearing warms as a first-order lag: 63 % of the way after five minutes", () => {
  const load = { ...SOUND, bearing: 1 };
  const cold = settledPump(BUILD, SOUND);
  const hot = settledPump(BUILD, load);
  let state = cold;
  for (let i = 0; i < 3_000; i++) state = stepPump(BUILD, state, load, 0.1).state;
  const share = (state.bearingTempC - cold.bearingTempC) / (hot.bearingTempC - cold.bearingTempC);
  expect(share).toBeCloseTo(1 - Math.exp(-1), 1);
});

test("ten short steps and one long one lead to the same temperature", () => {
  const load = { ...SOUND, bearing: 1 };
  const start = settledPump(BUILD, load);
  const from = { ...start, bearingTempC: 30 };
  let short = from;
  for (let i = 0; i < 10; i++) short = stepPump(BUILD, short, load, 6).state;
  const long = stepPump(BUILD, from, load, 60).state;
  expect(short.bearingTempC).toBeCloseTo(long.bearingTempC, 6);
});

test("one minute of the demo's demand covers its whole range, for every pump", () => {
  for (const phase of [0, 0.2, 0.4, 0.6, 0.8]) {
    const range = (fromS: number, toS: number): [number, number] => {
      const values = Array.from({ length: (toS - fromS) * 5 }, (_, i) =>
        demandAt("demo", (1.7e9 + fromS + i / 5) * 1e6, phase),
      );
      return [Math.min(...values), Math.max(...values)];
    };
    const [minute, hour] = [range(0, 60), range(0, 3_600)];
    expect(minute[0] - hour[0]).toBeLessThan(0.01);
    expect(hour[1] - minute[1]).toBeLessThan(0.01);
  }
});

test("the daily demand peaks in the morning and sleeps at night", () => {
  const atHour = (hour: number): number => demandAt("daily", (20_000 * 86_400 + hour * 3_600) * 1e6, 0);
  expect(atHour(8)).toBeGreaterThan(atHour(13));
  expect(atHour(19)).toBeGreaterThan(atHour(13));
  expect(atHour(3)).toBeLessThan(0.75);
  expect(ambientAt("daily", 20_000 * 86_400e6 + 16 * 3_600e6)).toBeCloseTo(26, 1);
});

test("every demand stays within what a pump can give", () => {
  for (const profile of DEMAND_PROFILES)
    for (let minute = 0; minute < 2_000; minute++) {
      const demand = demandAt(profile, minute * 61e6, minute / 17);
      expect(demand).toBeGreaterThan(0.5);
      expect(demand).toBeLessThan(1.15);
    }
});
