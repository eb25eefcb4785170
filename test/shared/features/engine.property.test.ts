import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { FeatureVector } from "@sluice/shared/contract/vector.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import { recompute } from "@sluice/shared/features/recompute.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { everyFunction } from "./functions-all.ts";
import { nearly } from "./nearly.ts";
import { blockOf, cut, type TestReading, viewOf } from "./readings.ts";
import { modelVectors } from "./window-model.ts";

const windows = fc.record({
  kind: fc.constantFrom("hopping" as const, "tumbling" as const),
  allowedLatenessMs: fc.constantFrom(0, 50, 200),
  correctionMs: fc.constantFrom(0, 100, 350, 1_000),
});

/** Mostly forward in time, sometimes back, now and then a gap. */
const steps = fc.array(
  fc.record({
    device: fc.constantFrom("p1", "p2"),
    metric: fc.constantFrom("a", "a", "b"),
    stepMs: fc.oneof(
      { weight: 40, arbitrary: fc.integer({ min: -20, max: 90 }) },
      { weight: 3, arbitrary: fc.integer({ min: -400, max: 0 }) },
      { weight: 1, arbitrary: fc.constantFrom(10_000, 1_000_000_000) },
    ),
    value: fc.integer({ min: -1_000, max: 1_000 }),
  }),
  { maxLength: 80, size: "max" },
);

function walk(
  walked: readonly { stepMs: number; device: string; metric: string; value: number }[],
): TestReading[] {
  const atMs = new Map<string, number>();
  return walked.map(({ stepMs, ...reading }) => {
    const next = (atMs.get(reading.device) ?? 1_000) + stepMs;
    atMs.set(reading.device, next);
    return { ...reading, atMs: next };
  });
}

const readings = steps.map(walk);

function viewWith(
  window: { kind: string; allowedLatenessMs: number; correctionMs: number },
  all: boolean,
): FeatureView {
  const few = [{ fn: "count" }, { fn: "sum" }, { fn: "first" }, { fn: "deviation" }];
  return viewOf(
    all ? everyFunction() : few,
    window.kind === "tumbling" ? { ...window, sizeMs: 200 } : window,
  );
}

const engineOf = (view: FeatureView): WindowEngine => new WindowEngine(view, "hash", 0);

/** Vectors to the bit: JSON prints every double so that it reads back as the same one. */
const bits = (vectors: readonly FeatureVector[]): string[] => vectors.map((vector) => JSON.stringify(vector));

test("the engine makes the vectors that the definition of its windows makes, in the same order", () => {
  fc.assert(
    fc.property(windows, readings, (window, read) => {
      const view = viewWith(window, false);
      const made = engineOf(view).process(blockOf(read));
      const expected = modelVectors(view, read);
      expect(
        made.map(({ device, windowStartUs, revision }) => [device, windowStartUs / 1_000, revision]),
      ).toEqual(expected.map(({ device, startMs, revision }) => [device, startMs, revision]));
      for (const [i, { values }] of expected.entries()) {
        expect(made[i]?.values.slice(0, 3)).toEqual(values.slice(0, 3));
        const deviation = values[3];
        expect(made[i]?.values[3]).toEqual(nearly(deviation, 9));
      }
    }),
    { numRuns: 400 },
  );
});

test("the model sees revisions, gaps and first vectors from late readings, or it would prove nothing", () => {
  const seen = { revisions: 0, lateFirst: 0, vectors: 0 };
  fc.assert(
    fc.property(windows, readings, (window, read) => {
      const vectors = modelVectors(viewWith(window, false), read);
      seen.vectors += vectors.length;
      seen.revisions += vectors.filter((vector) => vector.revision > 0).length;
      for (const [i, vector] of vectors.entries()) {
        const newest = vectors
          .slice(0, i)
          .filter((other) => other.device === vector.device && other.revision === 0);
        if (vector.revision === 0 && newest.some((other) => other.startMs > vector.startMs))
          seen.lateFirst += 1;
      }
    }),
    { seed: 1, numRuns: 200 },
  );
  expect(seen.vectors).toBeGreaterThan(1_000);
  expect(seen.revisions).toBeGreaterThan(100);
  expect(seen.lateFirst).toBeGreaterThan(5);
});

test("however the readings are cut into blocks and wherever a checkpoint is restored, every bit is the same", () => {
  const cuts = fc.array(fc.record({ place: fc.nat(80), restart: fc.boolean() }), { maxLength: 6 });
  fc.assert(
    fc.property(windows, readings, cuts, (window, read, places) => {
      const view = viewWith(window, true);
      const whole = engineOf(view);
      const expected = whole.process(blockOf(read));
      const sorted = places.toSorted((a, b) => a.place - b.place);
      let engine = engineOf(view);
      const made: FeatureVector[] = [];
      for (const [i, block] of cut(
        blockOf(read),
        sorted.map(({ place }) => place),
      ).entries()) {
        made.push(...engine.process(block));
        if (sorted[i]?.restart === true) engine = WindowEngine.restore(view, "hash", engine.checkpoint());
      }
      expect(bits(made)).toEqual(bits(expected));
      expect(engine.counters()).toEqual(whole.counters());
      expect(engine.checkpoint()).toEqual(whole.checkpoint());
    }),
    { numRuns: 150 },
  );
});

test("recomputing from the stored readings gives what the gateway made, also where the view began later", () => {
  fc.assert(
    fc.property(
      windows,
      readings,
      fc.nat(40),
      fc.array(fc.nat(80), { maxLength: 4 }),
      (window, read, since, places) => {
        const view = viewWith(window, true);
        const live = new WindowEngine(view, "hash", since);
        const [, seen] = cut(blockOf(read), [since]);
        const made = seen === undefined ? [] : live.process(seen);
        const again = [...recompute({ view, hash: "hash", sinceOffset: since }, cut(blockOf(read), places))];
        expect(bits(again)).toEqual(bits(made));
      },
    ),
    { numRuns: 100 },
  );
});

test("the order of arrival within the allowed lateness changes no bit but when a window closed", () => {
  const jittered = fc.array(
    fc.record({
      device: fc.constantFrom("p1", "p2"),
      metric: fc.constantFrom("a", "b"),
      gapMs: fc.integer({ min: 1, max: 90 }),
      jitter: fc.nat(200),
      value: fc.double({ noNaN: true, noDefaultInfinity: true }),
    }),
    { minLength: 1, maxLength: 80, size: "max" },
  );
  fc.assert(
    fc.property(jittered, fc.constantFrom("hopping", "tumbling"), (drawn, kind) => {
      const view = viewWith({ kind, allowedLatenessMs: 200, correctionMs: 500 }, true);
      let atMs = 0;
      const inOrder = drawn.map(({ gapMs, ...reading }) => ({ ...reading, atMs: (atMs += gapMs) }));
      // Whoever comes before a reading has a smaller sum, so is at most 200 ms newer than it.
      const shuffled = inOrder.toSorted((a, b) => a.atMs + a.jitter - (b.atMs + b.jitter));
      const end = ["p1", "p2"].map((device) => ({ device, metric: "a", atMs: atMs + 10_000, value: 0 }));
      const seen = (arrived: readonly TestReading[]): string[] =>
        bits(
          engineOf(view)
            .process(blockOf([...arrived, ...end]))
            .map((v) => ({ ...v, throughOffset: 0, closedAtUs: 0 })),
        ).sort();
      expect(seen(shuffled)).toEqual(seen(inOrder));
    }),
    { numRuns: 200 },
  );
});

test("a withheld reading changes no bit: it is as if the device had not sent it", () => {
  const flagged = fc.array(fc.boolean(), { minLength: 80, maxLength: 80 });
  fc.assert(
    fc.property(windows, readings, flagged, (window, read, flags) => {
      const view = viewWith(window, true);
      const withheld = engineOf(view).process(
        blockOf(read.map((reading, i) => ({ ...reading, withheld: flags[i] ?? false }))),
      );
      const without = read.filter((_, i) => flags[i] !== true);
      const unplaced = (vectors: readonly FeatureVector[]): string[] =>
        bits(vectors.map((vector) => ({ ...vector, throughOffset: 0, closedAtUs: 0 })));
      expect(unplaced(withheld)).toEqual(unplaced(engineOf(view).process(blockOf(without))));
    }),
    { numRuns: 200 },
  );
});

test("what a device holds in memory does not grow with what it has sent", () => {
  const view = viewOf([{ fn: "mean" }, { fn: "deviation" }], { allowedLatenessMs: 100, correctionMs: 500 });
  const engine = engineOf(view);
  const sizes: number[] = [];
  for (let batch = 0; batch < 20; batch++) {
    const sent = Array.from({ length: 1_000 }, (_, i) => ({
      atMs: batch * 10_000 + i * 10 - (i % 7 === 0 ? 300 : 0),
      value: i,
    }));
    engine.process(blockOf(sent, batch * 1_000));
    sizes.push(engine.checkpoint().length);
  }
  expect(engine.counters().revisions).toBeGreaterThan(1_000);
  // (size 300 + lateness 100 + correction 500 + hop 100) ms at 100 a second are 100 readings of 16 bytes.
  expect(Math.max(...sizes)).toBeLessThan(100 * 16 + 1_500);
});
