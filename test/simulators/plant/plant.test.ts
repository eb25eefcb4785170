import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseCommand } from "../../../simulators/plant/control.ts";
import { severityAt } from "../../../simulators/plant/fault.ts";
import { Plant } from "../../../simulators/plant/plant.ts";
import type { PlantOptions } from "../../../simulators/plant/plant.ts";
import { parsePlantState } from "../../../simulators/plant/plant-state.ts";
import { RUBBISH_KINDS } from "../../../simulators/plant/rubbish.ts";
import { truthLines } from "../../../simulators/plant/run-plant.ts";
import { METRICS } from "../../../simulators/plant/sensor.ts";

const START_US = 1_700_000_000_000_000;
const INTERVAL_US = 200_000;
const OPTIONS: PlantOptions = { seed: 3, pumps: 3, demand: "demo", dropout: 0, rubbish: 0 };

const plantOf = (changes: Partial<PlantOptions> = {}): Plant =>
  new Plant({ ...OPTIONS, ...changes }, START_US);
const momentUs = (step: number): number => START_US + step * INTERVAL_US;
const run = (plant: Plant, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => plant.step(momentUs(from + i)))
    .flat()
    .map(({ topic, payload }) => `${topic} ${payload}`);

/** The readings of one metric of one device, step by step. */
function series(lines: readonly string[], device: string, metric: string): (number | undefined)[] {
  return lines
    .filter((line) => line.startsWith(`plant/${device}/`))
    .map((line) => {
      const message: Record<string, number> = JSON.parse(line.slice(line.indexOf(" ") + 1));
      return message[metric];
    });
}

const BREAK = { command: "break", device: "pump-2", fault: "bearing", overS: 4, metric: undefined } as const;

test("the same seed gives the same messages bit for bit, and another seed gives others", () => {
  expect(run(plantOf(), 1, 30)).toEqual(run(plantOf(), 1, 30));
  expect(run(plantOf({ seed: 4 }), 1, 30)).not.toEqual(run(plantOf(), 1, 30));
});

test("a plant that was stopped and goes on from its state says what it would have said without the stop", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 39 }), (stop) => {
      const breakAt10 = (plant: Plant, from: number, to: number): string[] => {
        const lines = from <= 10 ? run(plant, from, Math.min(to, 10)) : [];
        if (from <= 10 && to > 10) plant.obey(BREAK, momentUs(10));
        return [...lines, ...run(plant, Math.max(from, 10), Math.max(to, 10))];
      };
      const options = { ...OPTIONS, dropout: 0.1, rubbish: 0.2 };
      const whole = breakAt10(new Plant(options, START_US), 1, 40);
      const first = new Plant(options, START_US);
      const before = breakAt10(first, 1, stop);
      const saved: unknown = JSON.parse(JSON.stringify(first.state()));
      const second = new Plant(options, momentUs(99), parsePlantState(saved, "plant.json"));
      expect([...before, ...breakAt10(second, stop, 40)]).toEqual(whole);
    }),
    { numRuns: 20 },
  );
});

test("each pump says all its metrics with the time of its measurement", () => {
  const [message] = plantOf().step(momentUs(1));
  expect(message?.topic).toBe("plant/pump-1/telemetry");
  const fields: object = JSON.parse(message?.payload ?? "");
  expect(Object.keys(fields)).toEqual(["ts", ...METRICS]);
  expect(fields).toMatchObject({ ts: momentUs(1) / 1_000 });
});

test("a bearing that was broken is seen in its own pump's envelope and in no other's, until it is repaired", () => {
  const plant = plantOf();
  const mean = (lines: readonly string[], device: string): number => {
    const values = series(lines, device, "vibration_envelope_g").map((value) => value ?? 0);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  const healthy = run(plant, 1, 50);
  plant.obey(BREAK, momentUs(50));
  const failing = run(plant, 70, 100);
  plant.obey({ command: "repair", device: "pump-2" }, momentUs(100));
  const repaired = run(plant, 100, 150);
  expect(mean(failing, "pump-2") / mean(healthy, "pump-2")).toBeGreaterThan(10);
  for (const other of ["pump-1", "pump-3"])
    expect(mean(failing, other) / mean(healthy, other)).toBeLessThan(1.2);
  expect(mean(repaired, "pump-2") / mean(healthy, "pump-2")).toBeLessThan(1.2);
});

test("the truth names device, label, from and to, and breaking or repairing twice changes nothing", () => {
  const plant = plantOf();
  plant.obey(BREAK, momentUs(1));
  plant.obey(BREAK, momentUs(2));
  const open = truthLines(plant.faults());
  expect(JSON.parse(open)).toEqual({
    device: "pump-2",
    label: "bearing_fault",
    from: "2023-11-14T22:13:20.200Z",
    overS: 4,
  });
  plant.obey({ command: "repair", device: "pump-2" }, momentUs(5));
  plant.obey({ command: "repair", device: "pump-2" }, momentUs(9));
  expect(JSON.parse(truthLines(plant.faults()))).toMatchObject({ to: "2023-11-14T22:13:21.000Z" });
});

test("a fault grows evenly from its beginning, is full at its time and gone after the repair", () => {
  const fault = {
    device: "pump-1",
    kind: "bearing",
    fromUs: 10e6,
    toUs: 60e6,
    overS: 20,
    metric: undefined,
  } as const;
  expect([9e6, 10e6, 15e6, 30e6, 59e6, 60e6].map((us) => severityAt(fault, us))).toEqual([
    0, 0, 0.25, 1, 1, 0,
  ]);
});

test("a sensor that sticks repeats its last value while the others go on", () => {
  const plant = plantOf();
  const before = series(run(plant, 1, 5), "pump-1", "flow_m3_h");
  plant.obey(
    { command: "break", device: "pump-1", fault: "sensor", overS: 1, metric: "flow_m3_h" },
    momentUs(5),
  );
  const lines = run(plant, 5, 25);
  expect(new Set(series(lines, "pump-1", "flow_m3_h"))).toEqual(new Set([before.at(-1)]));
  expect(new Set(series(lines, "pump-1", "current_a")).size).toBeGreaterThan(5);
});

test("drop-outs leave readings out about as often as was asked", () => {
  const lines = run(plantOf({ dropout: 0.1 }), 1, 200);
  const missing = METRICS.flatMap((metric) => series(lines, "pump-1", metric)).filter(
    (value) => value === undefined,
  );
  expect(missing.length / (199 * METRICS.length)).toBeCloseTo(0.1, 1);
});

test("rubbish is added and counted by kind, and changes nothing that is good", () => {
  const dirty = plantOf({ rubbish: 0.3 });
  const lines = run(dirty, 1, 200);
  const clean = run(plantOf(), 1, 200);
  const extra = [...lines];
  for (const line of clean) {
    const at = extra.indexOf(line);
    expect(at).toBeGreaterThanOrEqual(0);
    extra.splice(at, 1);
  }
  const counts = dirty.rubbishCounts();
  expect(Object.keys(counts).sort()).toEqual([...RUBBISH_KINDS].sort());
  expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(extra.length);
  expect(extra.filter((line) => line.endsWith(" "))).toHaveLength(counts["empty"] ?? -1);
  expect(extra.filter((line) => line.length > 100_000)).toHaveLength(counts["huge"] ?? -1);
});

test("a command is read with its defaults", () => {
  const devices = ["pump-1", "pump-2"];
  expect(parseCommand('{"command":"break","device":"pump-2","fault":"valve"}', devices)).toEqual({
    command: "break",
    device: "pump-2",
    fault: "valve",
    overS: 20,
    metric: undefined,
  });
  expect(parseCommand('{"command":"repair","device":"pump-1"}', devices)).toEqual({
    command: "repair",
    device: "pump-1",
  });
});

test("a command that cannot be obeyed is refused with every mistake, its value and what is possible", () => {
  const refusal = (payload: string): string => {
    try {
      parseCommand(payload, ["pump-1"]);
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
    return "taken";
  };
  expect(refusal("{")).toContain("it is not JSON: {");
  expect(refusal("[]")).toContain("must be an object");
  expect(refusal('{"command":"explode","device":"pump-1"}')).toContain(
    'command: "explode": must be one of break, repair',
  );
  expect(refusal('{"command":"break","device":"pump-9","fault":"rust","overS":-1,"soon":true}')).toBe(
    "the plant does not take this command: " +
      'device: "pump-9": must be one of pump-1; ' +
      'fault: "rust": must be one of bearing, cavitation, valve, sensor; ' +
      "overS: -1: must be a number from 0.001 to 31536000; " +
      "soon: no such field",
  );
  expect(refusal('{"command":"break","device":"pump-1","fault":"valve","metric":"current_a"}')).toContain(
    "only a sensor fault names one",
  );
});

test("a state that was not written by a plant is refused with what is wrong in it", () => {
  const good: Record<string, unknown> = JSON.parse(JSON.stringify(plantOf().state()));
  expect(() => parsePlantState(good, "plant.json")).not.toThrow();
  for (const [change, problem] of [
    [{ formatVersion: 2 }, "formatVersion: 2"],
    [{ pumps: [] }, "must be 1 to 1000 pumps"],
    [{ pumps: [{}] }, "pumps.0.state: missing"],
    [{ steps: -1 }, "steps: -1"],
    [{ faults: [{ device: "pump-1", kind: "rust", fromUs: 0, overS: 1 }] }, 'faults.0.kind: "rust"'],
    [{ more: 1 }, "more: no such field"],
  ] as const)
    expect(() => parsePlantState({ ...good, ...change }, "plant.json")).toThrow(problem);
});
