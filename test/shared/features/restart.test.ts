import { RESTART_READINGS } from "@sluice/shared/features/device-windows.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import { recompute } from "@sluice/shared/features/recompute.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { blockOf, cut, type TestReading, viewOf } from "./readings.ts";

const HOUR_MS = 3_600_000;
const view = viewOf([{ fn: "count" }, { fn: "sum" }, { fn: "deviation" }], {
  kind: "tumbling",
  sizeMs: 1_000,
  allowedLatenessMs: 200,
  correctionMs: 2_000,
});

/** `count` readings of a device, ten a second. */
const live = (fromMs: number, count: number, device = "p1"): TestReading[] =>
  Array.from({ length: count }, (_, i) => ({ device, atMs: fromMs + i * 100, value: i % 7 }));

const engineAfter = (readings: readonly TestReading[]): WindowEngine => {
  const engine = new WindowEngine(view, "hash", 0);
  engine.process(blockOf(readings));
  return engine;
};

test("features go on soon after a clock that was hours ahead is right again", () => {
  const engine = new WindowEngine(view, "hash", 0);
  const before = [...live(0, 100), ...live(3 * HOUR_MS, 100)];
  engine.process(blockOf(before));
  const vectors = engine.process(blockOf(live(20_000, 200), before.length));
  expect(engine.counters()).toMatchObject({ restarts: 1, lateBeyondCorrection: RESTART_READINGS - 1 });
  // Begun anew at 20,000 + 63 * 100 ms: the first whole window after that, and every one from there on.
  expect(vectors.map(({ windowStartUs }) => windowStartUs / 1_000)).toEqual(
    Array.from({ length: 12 }, (_, i) => 27_000 + i * 1_000),
  );
  expect(vectors.every(({ revision, readingCount }) => revision === 0 && readingCount === 10)).toBe(true);
  // What the device's life is compared with was not forgotten.
  expect(vectors[0]?.values[2]).not.toBeUndefined();
});

test("only the device whose readings are all beyond correction begins anew", () => {
  const back = live(20_000, 100, "p1").flatMap((reading, i) => [
    reading,
    { device: "p2", atMs: 3 * HOUR_MS + 10_000 + i * 100 },
  ]);
  const engine = engineAfter([...live(3 * HOUR_MS, 100, "p1"), ...live(3 * HOUR_MS, 100, "p2"), ...back]);
  expect(engine.counters()).toMatchObject({ restarts: 1 });
});

test("history between live readings restarts nothing, however much there is", () => {
  const history = live(0, 5_000);
  const mixed = history.flatMap((old, i) =>
    i % (RESTART_READINGS - 1) === 0 ? [{ atMs: HOUR_MS + 10_000 + i * 100 }, old] : [old],
  );
  const engine = engineAfter([...live(HOUR_MS, 100), ...mixed]);
  expect(engine.counters()).toMatchObject({ restarts: 0 });
  expect(engine.counters().lateBeyondCorrection).toBe(5_000);
});

test("a late reading that still revises a window ends the row of those that cannot", () => {
  const rows = Array.from({ length: 10 }, () => [
    ...live(0, RESTART_READINGS - 1),
    { atMs: HOUR_MS + 9_900 - 1_500 },
  ]).flat();
  const { restarts, lateBeyondCorrection } = engineAfter([...live(HOUR_MS, 100), ...rows]).counters();
  expect({ restarts, lateBeyondCorrection }).toEqual({
    restarts: 0,
    lateBeyondCorrection: 10 * (RESTART_READINGS - 1),
  });
});

test("the clock goes wrong twice, and everything is the same bits from a checkpoint and from the lake", () => {
  const read = [
    ...live(0, 150),
    ...live(3 * HOUR_MS, 150),
    ...live(30_000, 150),
    ...live(9 * HOUR_MS, 80),
    ...live(53_000, 150),
  ];
  const whole = new WindowEngine(view, "hash", 0);
  const expected = whole.process(blockOf(read));
  expect(whole.counters().restarts).toBe(2);
  fc.assert(
    fc.property(fc.array(fc.nat(read.length), { maxLength: 8 }), (places) => {
      let engine = new WindowEngine(view, "hash", 0);
      const made = cut(blockOf(read), places).flatMap((block) => {
        const vectors = engine.process(block);
        engine = WindowEngine.restore(view, "hash", engine.checkpoint());
        return vectors;
      });
      expect(made).toEqual(expected);
      expect(engine.counters()).toEqual(whole.counters());
      expect([...recompute({ view, hash: "hash", sinceOffset: 0 }, cut(blockOf(read), places))]).toEqual(
        expected,
      );
    }),
    { numRuns: 60 },
  );
});
