import type { FeatureVector } from "@sluice/shared/contract/vector.ts";
import { CLOSED_WINDOWS_MAX } from "@sluice/shared/features/device-windows.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import { expect, test } from "vitest";
import { blockOf, type TestReading, viewOf } from "./readings.ts";

type Window = Parameters<typeof viewOf>[1];

const SLIDING: Window = { kind: "sliding", sizeMs: 100 };
const SESSION: Window = { kind: "session", gapMs: 100, sizeMs: 1_000 };
const COUNT: Window = { kind: "count", of: "a", readings: 3 };

/** start-end rN: count of each vector, in order; times in milliseconds, ends as the time of the last reading. */
function run(readings: readonly TestReading[], window: Window): { engine: WindowEngine; said: string[] } {
  const engine = new WindowEngine(viewOf([{ fn: "count" }], window), "hash", 0);
  return { engine, said: engine.process(blockOf(readings)).map(say) };
}

function say({ windowStartUs, windowEndUs, revision, readingCount, closedBy }: FeatureVector): string {
  const by = closedBy === "idle" ? " idle" : "";
  return `${Math.ceil(windowStartUs / 1_000)}..${(windowEndUs - 1) / 1_000} r${revision}: ${readingCount}${by}`;
}

const at = (...times: number[]): TestReading[] => times.map((atMs) => ({ atMs }));

test("a sliding window ends with each event time, and the first one is whole", () => {
  expect(run(at(0, 50, 100, 130, 130, 180, 500), SLIDING).said).toEqual([
    "1..100 r0: 2",
    "31..130 r0: 4",
    "81..180 r0: 4",
  ]);
});

test("sliding windows are thinned to the first event time in each hop", () => {
  expect(run(at(0, 100, 110, 199, 200, 350, 380, 900), { ...SLIDING, hopMs: 100 }).said).toEqual([
    "1..100 r0: 1",
    "101..200 r0: 3",
    "251..350 r0: 1",
  ]);
});

test("a late reading has a sliding window of its own and revises those that reach over it", () => {
  const { said } = run(at(0, 100, 160, 300, 120), { ...SLIDING, correctionMs: 1_000 });
  expect(said.slice(2)).toEqual(["21..120 r0: 2", "61..160 r1: 3"]);
});

test("a session ends with a silence, and is cut where it is too long", () => {
  expect(run(at(0, 60, 120, 300, 350, 600), SESSION).said).toEqual(["0..120 r0: 3", "300..350 r0: 2"]);
  expect(run(at(0, 90, 180, 270, 360, 600), { ...SESSION, sizeMs: 200 }).said).toEqual([
    "0..180 r0: 3",
    "270..360 r0: 2",
  ]);
});

test("a late reading joins the session that it follows, and else is one of its own; two sessions stay two", () => {
  const { said } = run(at(0, 250, 600, 60, 180, 170), { ...SESSION, correctionMs: 1_000 });
  expect(said).toEqual([
    "0..0 r0: 1",
    "250..250 r0: 1",
    "0..60 r1: 2",
    "180..180 r0: 1",
    // Not 100 ms after 60, and before the session of 180 began.
    "170..170 r0: 1",
  ]);
});

test("a window by count has that many readings of its input, and what else is measured meanwhile", () => {
  const other = { atMs: 25, metric: "b" };
  expect(run([...at(0, 20), other, ...at(30, 40, 50, 60, 70)], COUNT).said).toEqual([
    "0..30 r0: 4",
    "40..60 r0: 3",
  ]);
  expect(run(at(0, 20, 30, 40, 50, 60, 70), { ...COUNT, hopReadings: 1 }).said).toEqual([
    "0..30 r0: 3",
    "20..40 r0: 3",
    "30..50 r0: 3",
    "40..60 r0: 3",
  ]);
});

test("a late reading joins the windows by count that have its time, and between two the earlier", () => {
  const { said } = run(at(0, 20, 30, 40, 50, 60, 70, 10, 35), { ...COUNT, correctionMs: 1_000 });
  expect(said).toEqual(["0..30 r0: 3", "40..60 r0: 3", "0..30 r1: 4", "0..35 r2: 5"]);
});

test("a message is taken whole: its own readings are not late by each other, and revise each window once", () => {
  const window = { kind: "tumbling", sizeMs: 100, correctionMs: 1_000 };
  const message = (offset: number, ...times: number[]): TestReading[] =>
    at(...times).map((reading) => ({ ...reading, offset }));
  const { engine, said } = run(
    [...message(0, 250, 10, 130), ...message(1, 400), ...message(2, 160, 170, 180, 390)],
    window,
  );
  expect(said).toEqual([
    "100..199.999 r0: 1",
    "200..299.999 r0: 1",
    "100..199.999 r1: 4",
    "300..399.999 r0: 1",
  ]);
  expect(engine.counters()).toMatchObject({ revisions: 1, late: 4 });
});

const heard = (receivedAtS: number, atMs: number, device = "p1"): TestReading => ({
  device,
  atMs,
  receivedAtMs: receivedAtS * 1_000,
});

test("a device that is silent by arrival time has its open windows closed, and says so; another lets time pass", () => {
  const window = { kind: "tumbling", sizeMs: 1_000, correctionMs: 5_000, idleAfterMs: 10_000 };
  const readings = [
    heard(0, 100),
    heard(1, 1_200),
    heard(5, 0, "p2"),
    heard(10, 500, "p2"),
    heard(11, 600, "p2"), // p1 has now been silent for 10 s.
    heard(12, 1_300),
  ];
  expect(run(readings, window).said).toEqual([
    "1000..1999.999 r0: 1 idle",
    // It is back with a reading of the window that was closed.
    "1000..1999.999 r1: 2",
  ]);
});

test("a clock that is set back lets no time pass, and one that is set ahead no more than it says", () => {
  const window = { kind: "tumbling", sizeMs: 1_000, idleAfterMs: 10_000 };
  const quiet = [heard(100, 0), heard(50, 0, "p2"), heard(55, 10, "p2"), heard(59, 20, "p2")];
  expect(run(quiet, window).said).toEqual([]);
  expect(run([...quiet, heard(60, 30, "p2")], window).said).toEqual(["0..999.999 r0: 1 idle"]);
});

test("the engine says from when on any message closes windows of a silent device", () => {
  const view = viewOf([{ fn: "count" }], { ...SESSION, idleAfterMs: 10_000 });
  const engine = new WindowEngine(view, "hash", 0);
  engine.process(blockOf([heard(0, 0), heard(1, 50)]));
  expect(engine.idleDueAtUs).toBe(11_000_000);
  const other = (receivedAtMs: number, offset: number): FeatureVector[] =>
    engine.process(blockOf([{ atMs: 0, deviceType: "sluice", receivedAtMs, offset }]));
  expect(other(10_999.999, 2)).toEqual([]);
  expect(engine.idleDueAtUs).toBe(11_000_000);
  const made = other(11_000, 3);
  expect(made.map(say)).toEqual(["0..50 r0: 2 idle"]);
  expect(made[0]).toMatchObject({ throughOffset: 3, closedAtUs: 11_000_000 });
  expect(engine.idleDueAtUs).toBe(Infinity);
  expect(engine.counters()).toMatchObject({ vectors: 1, idle: 1 });
});

test("windows that can be revised are held in bounds, and those that are let go early are counted", () => {
  const engine = new WindowEngine(
    viewOf([{ fn: "count" }], { ...SLIDING, correctionMs: 86_400_000 }),
    "hash",
    0,
  );
  const count = CLOSED_WINDOWS_MAX + 50;
  for (let from = 0; from < count; from += 50_000) {
    const times = Array.from({ length: Math.min(50_000, count - from) }, (_, i) => 200 + (from + i) * 100);
    engine.process(blockOf(at(...(from === 0 ? [0, ...times.slice(1)] : times)), from));
  }
  const { vectors, shedWindows } = engine.counters();
  expect(shedWindows).toBe(vectors - CLOSED_WINDOWS_MAX);
  // What was let go is final.
  expect(engine.process(blockOf(at(301), count))).toEqual([]);
  expect(engine.counters().lateBeyondCorrection).toBe(1);
});
