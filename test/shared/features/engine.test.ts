import { WindowEngine } from "@sluice/shared/features/engine.ts";
import type { FeatureVector } from "@sluice/shared/contract/vector.ts";
import { expect, test } from "vitest";
import { blockOf, type TestReading, viewOf } from "./readings.ts";

type Window = Parameters<typeof viewOf>[1];

const TUMBLING: Window = { kind: "tumbling", sizeMs: 100 };

/** start-end rN: count of each vector, in order. */
function run(
  readings: readonly TestReading[],
  window: Window,
  fn = "count",
): { engine: WindowEngine; said: string[] } {
  const engine = new WindowEngine(viewOf([{ fn }], window), "hash", 0);
  return { engine, said: engine.process(blockOf(readings)).map(say) };
}

function say(vector: FeatureVector): string {
  const { device, windowStartUs, windowEndUs, revision, values } = vector;
  return `${device} ${windowStartUs / 1_000}-${windowEndUs / 1_000} r${revision}: ${values.join(" ")}`;
}

const at = (...times: number[]): TestReading[] => times.map((atMs) => ({ atMs, value: atMs }));

test("a window closes with the first reading at or after its end, which is not in it", () => {
  expect(run(at(0, 50, 99.999, 100, 150, 199, 350), TUMBLING).said).toEqual([
    "p1 0-100 r0: 3",
    "p1 100-200 r0: 3",
  ]);
});

test("a window waits for the allowed lateness", () => {
  const lateness: Window = { ...TUMBLING, allowedLatenessMs: 30 };
  expect(run(at(0, 50, 129), lateness).said).toEqual([]);
  expect(run(at(0, 50, 129, 99, 130), lateness).said).toEqual(["p1 0-100 r0: 3"]);
});

test("hopping windows overlap and close in the order of their ends", () => {
  expect(run(at(0, 150, 250, 350, 500), {}).said).toEqual([
    "p1 0-300 r0: 3",
    "p1 100-400 r0: 3",
    "p1 200-500 r0: 2",
  ]);
});

test("the first window begins at or after the first reading, because one that began before would be a part", () => {
  expect(run(at(130, 250, 420, 900), TUMBLING).said).toEqual(["p1 200-300 r0: 1", "p1 400-500 r0: 1"]);
  expect(run(at(130, 250, 420, 600), {}).said).toEqual(["p1 200-500 r0: 2", "p1 300-600 r0: 1"]);
});

test("a reading from before the first, but not late, begins an earlier first window", () => {
  const lateness: Window = { ...TUMBLING, allowedLatenessMs: 100 };
  expect(run(at(130, 95, 250, 400), lateness).said).toEqual(["p1 100-200 r0: 1", "p1 200-300 r0: 1"]);
});

test("a window without a reading makes no vector, and a gap of years costs no time", () => {
  const year = 365 * 86_400_000;
  const { said } = run(at(0, 50 * year, 50 * year + 1_000), TUMBLING);
  expect(said).toEqual([`p1 0-100 r0: 1`, `p1 ${50 * year}-${50 * year + 100} r0: 1`]);
});

test("windows are aligned to the epoch before 1970 as after it", () => {
  expect(run(at(-250, -150, -50, 50), TUMBLING).said).toEqual(["p1 -200--100 r0: 1", "p1 -100-0 r0: 1"]);
});

test("a late reading revises every closed window that it belongs to", () => {
  const { engine, said } = run(at(0, 250, 310, 420, 305), { correctionMs: 1_000 });
  expect(said).toEqual(["p1 0-300 r0: 2", "p1 100-400 r0: 2", "p1 100-400 r1: 3"]);
  expect(engine.counters()).toMatchObject({ vectors: 3, revisions: 1, late: 1, lateBeyondCorrection: 0 });
});

test("each late reading makes the next revision, and open windows take it as any other", () => {
  const { said } = run(at(0, 250, 400, 210, 220, 500), { correctionMs: 1_000 });
  expect(said).toEqual([
    "p1 0-300 r0: 2",
    "p1 100-400 r0: 1",
    "p1 0-300 r1: 3",
    "p1 100-400 r1: 2",
    "p1 0-300 r2: 4",
    "p1 100-400 r2: 3",
    "p1 200-500 r0: 4",
  ]);
});

test("a window that closed without a reading gets its first vector from a late one", () => {
  const { engine, said } = run(at(0, 500, 250, 260), { ...TUMBLING, correctionMs: 1_000 });
  expect(said).toEqual(["p1 0-100 r0: 1", "p1 200-300 r0: 1", "p1 200-300 r1: 2"]);
  expect(engine.counters()).toMatchObject({ vectors: 3, revisions: 1, late: 2 });
});

test("a window is final once the watermark is the correction time beyond its end; later readings are counted", () => {
  const correction: Window = { ...TUMBLING, correctionMs: 50 };
  expect(run(at(0, 149.999, 60), correction).said).toEqual(["p1 0-100 r0: 1", "p1 0-100 r1: 2"]);
  const { engine, said } = run(at(0, 150, 60), correction);
  expect(said).toEqual(["p1 0-100 r0: 1"]);
  expect(engine.counters()).toMatchObject({ late: 0, lateBeyondCorrection: 1 });
});

test("a late reading revises the windows that still can be and is counted for those that cannot", () => {
  const { engine, said } = run(at(0, 299, 400, 250), { correctionMs: 50 });
  expect(said).toEqual(["p1 0-300 r0: 2", "p1 100-400 r0: 1", "p1 100-400 r1: 2"]);
  expect(engine.counters()).toMatchObject({ late: 1, lateBeyondCorrection: 1 });
});

test("of several windows, one that is just final is not revised", () => {
  const { engine, said } = run(at(0, 299, 350, 250), { correctionMs: 50 });
  expect(said).toEqual(["p1 0-300 r0: 2"]);
  expect(engine.counters()).toMatchObject({ late: 0, lateBeyondCorrection: 1 });
});

test("a reading just at the watermark is not late", () => {
  const lateness: Window = { ...TUMBLING, allowedLatenessMs: 100 };
  const { engine, said } = run(at(200, 100, 300), lateness);
  expect(said).toEqual(["p1 100-200 r0: 1"]);
  expect(engine.counters()).toMatchObject({ lateBeyondCorrection: 0 });
});

test("a late reading from before everything that the device sent is counted", () => {
  expect(run(at(500, 700, 20), TUMBLING).engine.counters()).toMatchObject({ lateBeyondCorrection: 1 });
});

test("each device has its own watermark: a fast clock makes only itself early", () => {
  const readings = [
    { device: "fast", atMs: 0 },
    { device: "slow", atMs: 0 },
    { device: "fast", atMs: 1_000_000 },
    { device: "slow", atMs: 50 },
    { device: "slow", atMs: 100 },
  ];
  expect(run(readings, TUMBLING).said).toEqual(["fast 0-100 r0: 1", "slow 0-100 r0: 2"]);
});

test("other device types and metrics neither count nor move the watermark", () => {
  const readings = [
    { atMs: 0 },
    { atMs: 10, metric: "unknown" },
    { atMs: 20, deviceType: "valve" },
    { atMs: 500, metric: "unknown" },
    { atMs: 500, deviceType: "valve" },
    { atMs: 60, metric: "b" },
    { atMs: 100, metric: "b" },
  ];
  const { engine } = run([], TUMBLING);
  const [vector, ...others] = engine.process(blockOf(readings));
  expect(others).toEqual([]);
  expect(vector).toMatchObject({ values: [1], readingCount: 2 });
});

test("a vector says which message closed it and when that came", () => {
  const engine = new WindowEngine(viewOf([{ fn: "count" }]), "hash", 3);
  const vectors = engine.process(blockOf(at(0, 300, 600, 900, 1_300)));
  expect(vectors[0]).toEqual({
    view: "test_view",
    viewHash: "hash",
    device: "p1",
    deviceType: "pump",
    windowStartUs: 900_000,
    windowEndUs: 1_200_000,
    revision: 0,
    sinceOffset: 3,
    throughOffset: 4,
    closedAtUs: 4_000_000,
    closedBy: "watermark",
    violations: [],
    withheld: false,
    readingCount: 1,
    values: [1],
  });
});

test("readings of messages before sinceOffset are as if they had never been", () => {
  const engine = new WindowEngine(viewOf([{ fn: "count" }]), "hash", 2);
  expect(engine.process(blockOf(at(0, 100, 250, 400, 600, 700))).map(say)).toEqual([
    "p1 300-600 r0: 1",
    "p1 400-700 r0: 2",
  ]);
});

test("readings of equal time are ordered as they came", () => {
  const readings = [{ atMs: 0, value: 1 }, { atMs: 0, value: 2 }, { atMs: 0, value: 3 }, { atMs: 300 }];
  expect(run(readings, {}, "first").said).toEqual(["p1 0-300 r0: 1"]);
  expect(run(readings, {}, "last").said).toEqual(["p1 0-300 r0: 3"]);
});

test("deviation compares with the windows before; a revision compares with what was known when the window closed", () => {
  const readings = [
    { atMs: 0, value: 10 },
    { atMs: 100, value: 20 },
    { atMs: 200, value: 60 },
    { atMs: 300, value: 0 },
    { atMs: 150, value: 40 },
    { atMs: 400, value: 0 },
  ];
  expect(run(readings, { ...TUMBLING, correctionMs: 1_000 }, "deviation").said).toEqual([
    "p1 0-100 r0: ",
    "p1 100-200 r0: 10",
    "p1 200-300 r0: 45",
    // Its mean is now 30, the cumulative mean of then 10; the next window still compares with 10, 20 and 60.
    "p1 100-200 r1: 20",
    "p1 300-400 r0: -30",
  ]);
});

test("the same message twice is a broken promise, not a second reading", () => {
  const engine = new WindowEngine(viewOf([{ fn: "count" }]), "hash", 0);
  engine.process(blockOf(at(0, 100)));
  expect(() => engine.process(blockOf(at(0), 1))).toThrow("broken promise");
});

test("a device whose clock stands still is held in bounds and the rest is counted", () => {
  const count = 4_194_304 + 5;
  const block = {
    ...blockOf(at(0)),
    count,
    seriesIndex: new Uint32Array(count),
    offset: Float64Array.from({ length: count }, (_, i) => i),
    index: new Uint32Array(count),
    measuredAtUs: new Float64Array(count),
    receivedAtUs: new Float64Array(count),
    value: new Float64Array(count),
    clock: new Uint8Array(count),
    withheld: new Uint8Array(count),
  };
  const engine = new WindowEngine(viewOf([{ fn: "count" }]), "hash", 0);
  expect(engine.process(block)).toEqual([]);
  expect(engine.counters().shedReadings).toBe(5);
  // Time goes on: the window closes with what was held, and there is room again.
  expect(engine.process(blockOf(at(300, 600), count)).map(say)).toEqual([
    "p1 0-300 r0: 4194304",
    "p1 100-400 r0: 1",
    "p1 200-500 r0: 1",
    "p1 300-600 r0: 1",
  ]);
  expect(engine.counters().shedReadings).toBe(5);
});

test("devices beyond the limit are counted, those before go on", () => {
  const names = Array.from({ length: 65_536 + 2 }, (_, i) => ({ device: `d${i}`, atMs: 0 }));
  const engine = new WindowEngine(viewOf([{ fn: "count" }]), "hash", 0);
  engine.process(blockOf(names));
  expect(engine.counters().shedDevices).toBe(2);
  const [vector] = engine.process(blockOf([{ device: "d0", atMs: 300 }], names.length));
  expect(vector?.device).toBe("d0");
});

test("vectors that break what their view promises say so, and a device's are withheld while too many do", () => {
  const view = {
    ...viewOf([{ fn: "mean", expect: { max: 10 } }], { kind: "tumbling", sizeMs: 300 }),
    inputs: { a: { metric: "a", freshnessMs: 150 }, b: { metric: "b" } },
    breaker: { windowVectors: 4, violationShareMax: 0.5 },
  };
  const engine = new WindowEngine(view, "hash", 0);
  // Windows of 300 ms: with readings at their start alone, the newest is too old at their end.
  const values = [5, 50, 50, 50, 5, 5, 5];
  const fresh = values.flatMap((value, i) => [
    { atMs: 300 * i, value },
    { atMs: 300 * i + 200, value },
  ]);
  const vectors = engine.process(blockOf([...fresh, { atMs: 2_100 }, { atMs: 3_000 }]));
  expect(vectors.map(({ violations, withheld }) => [violations, withheld])).toEqual([
    [[], false],
    [["f0: 50 is above 10"], false],
    [["f0: 50 is above 10"], false],
    [["f0: 50 is above 10"], true],
    [[], true],
    [[], true],
    [[], false],
    [["input a: newest reading 300 ms old, 150 allowed"], false],
  ]);
  expect(engine.counters()).toMatchObject({ vectors: 8, violating: 4, withheld: 3 });
});
