import { viewHash } from "@sluice/shared/codec/hash.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { FeatureVector } from "@sluice/shared/contract/vector.ts";
import { recompute } from "@sluice/shared/features/recompute.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FeatureStage } from "../../../edge/features/feature-stage.ts";
import { blockOf, cut, type TestReading, viewOf } from "../../shared/features/readings.ts";

const named = (name: string, view: FeatureView): FeatureView => ({ ...view, name });
const FAST = named(
  "fast",
  viewOf([{ fn: "mean" }, { fn: "deviation" }], { kind: "tumbling", sizeMs: 100, correctionMs: 400 }),
);
const SLOW = named(
  "slow",
  viewOf([{ fn: "std" }, { fn: "correlation", of: ["a", "b"] }], { allowedLatenessMs: 30 }),
);
const OTHER = named("other", viewOf([{ fn: "max" }]));

const bits = (vectors: readonly FeatureVector[]): string[] => vectors.map((vector) => JSON.stringify(vector));

const readings = fc
  .array(
    fc.record({
      device: fc.constantFrom("p1", "p2", "p3"),
      metric: fc.constantFrom("a", "b"),
      stepMs: fc.integer({ min: -60, max: 60 }),
      value: fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    }),
    { maxLength: 120, size: "max" },
  )
  .map((steps): TestReading[] =>
    steps.map(({ stepMs, ...reading }, i) => ({ ...reading, atMs: i * 12 + stepMs })),
  );

test("several views are computed side by side, in the order of the readings that make their vectors", () => {
  const stage = new FeatureStage([FAST, SLOW], 0);
  const vectors = stage.process(blockOf([0, 100, 200, 330].map((atMs) => ({ atMs, value: atMs }))));
  expect(
    vectors.map((vector) => `${vector.throughOffset} ${vector.view} ${vector.windowEndUs / 1_000}`),
  ).toEqual(["1 fast 100", "2 fast 200", "3 fast 300", "3 slow 300"]);
  expect(vectors.map((vector) => vector.viewHash)).toEqual([FAST, FAST, FAST, SLOW].map(viewHash));
  expect(stage.counters()).toMatchObject({ "features.fast.vectors": 3, "features.slow.vectors": 1 });
});

test("cutting the readings and restarting from checkpoints gives the same vectors in the same order, to the bit", () => {
  const cuts = fc.array(fc.record({ place: fc.nat(120), restart: fc.boolean() }), { maxLength: 6 });
  let vectors = 0;
  fc.assert(
    fc.property(readings, cuts, (read, places) => {
      const expected = new FeatureStage([FAST, SLOW], 0).process(blockOf(read));
      vectors += expected.length;
      const sorted = places.toSorted((a, b) => a.place - b.place);
      let stage = new FeatureStage([FAST, SLOW], 0);
      const made: FeatureVector[] = [];
      for (const [i, block] of cut(
        blockOf(read),
        sorted.map(({ place }) => place),
      ).entries()) {
        made.push(...stage.process(block));
        if (sorted[i]?.restart === true) stage = FeatureStage.restore(stage.checkpoint()).stage;
      }
      expect(bits(made)).toEqual(bits(expected));
    }),
    { numRuns: 60 },
  );
  expect(vectors).toBeGreaterThan(500);
});

test("the cloud recomputes each view's vectors from the readings, also of a view that came later", () => {
  fc.assert(
    fc.property(readings, fc.nat(120), fc.array(fc.nat(120), { maxLength: 3 }), (read, joinAt, places) => {
      const stage = new FeatureStage([FAST], 0);
      const [before, after] = cut(blockOf(read), [joinAt]);
      const made = before === undefined ? [] : stage.process(before);
      stage.setViews([FAST, SLOW], before?.count ?? 0);
      if (after !== undefined) made.push(...stage.process(after));
      for (const computed of stage.views()) {
        const own = made.filter((vector) => vector.viewHash === computed.hash);
        expect(bits([...recompute(computed, cut(blockOf(read), places))])).toEqual(bits(own));
      }
    }),
    { numRuns: 60 },
  );
});

test("changing the views keeps the state of those that stay and starts the new ones at the given message", () => {
  const stage = new FeatureStage([FAST, SLOW], 0);
  stage.process(
    blockOf([
      { atMs: 0, value: 5 },
      { atMs: 50, value: 7 },
    ]),
  );
  stage.setViews([OTHER, FAST], 2);
  expect(stage.views()).toMatchObject([
    { view: OTHER, hash: viewHash(OTHER), sinceOffset: 2 },
    { view: FAST, hash: viewHash(FAST), sinceOffset: 0 },
  ]);
  const [vector] = stage.process(blockOf([{ atMs: 100 }], 2));
  expect(vector).toMatchObject({ view: "fast", windowStartUs: 0, values: [6, undefined], sinceOffset: 0 });
});

test("the same view twice is computed once, whatever the order of its keys", () => {
  const { name, ...rest } = FAST;
  const stage = new FeatureStage([FAST, { ...rest, name }], 0);
  expect(stage.views()).toHaveLength(1);
});

test("a view that the library cannot compute is refused and changes nothing", () => {
  const stage = new FeatureStage([FAST], 0);
  const wrong = viewOf([{ fn: "average" }]);
  expect(() => stage.setViews([wrong], 1)).toThrow(PipelineError);
  expect(() => stage.setViews([wrong], 1)).toThrow(/features\.0\.fn: "average" is no function/);
  expect(stage.views().map((computed) => computed.view.name)).toEqual(["fast"]);
});

test("a restored stage has its views, their beginnings and their counters", () => {
  const stage = new FeatureStage([FAST], 0);
  stage.process(blockOf([0, 100, 210, 150].map((atMs) => ({ atMs }))));
  stage.setViews([FAST, SLOW], 4);
  const { stage: restored, lost } = FeatureStage.restore(stage.checkpoint());
  expect(lost).toEqual([]);
  expect(restored.views()).toEqual(stage.views());
  expect(restored.counters()).toEqual(stage.counters());
  expect(restored.counters()).toMatchObject({ "features.fast.late": 1, "features.fast.revisions": 1 });
});

test("a damaged checkpoint loses the views that it damages and no others, and says which", () => {
  const stage = new FeatureStage([FAST, SLOW], 0);
  stage.process(blockOf([0, 100, 210].map((atMs) => ({ atMs }))));
  const bytes = stage.checkpoint();
  for (let length = 0; length < bytes.length; length += 7) {
    const { stage: restored, lost } = FeatureStage.restore(bytes.subarray(0, length));
    expect(lost).toHaveLength(1);
    expect(restored.views().length).toBeLessThan(2);
  }
  // The version of the first view's engine, behind the number of views, its text and the length of its state.
  const changed = bytes.slice();
  const textBytes = new DataView(changed.buffer, changed.byteOffset).getFloat64(8, true);
  changed.fill(0xff, 16 + textBytes + 8, 16 + textBytes + 16);
  const { stage: restored, lost } = FeatureStage.restore(changed);
  expect(lost).toEqual([{ view: "fast", reason: expect.stringMatching(/checkpoint version/) }]);
  expect(restored.views().map(({ view }) => view.name)).toEqual(["slow"]);
});

test("a view that is added takes the past readings that it is given and goes on as if it had been there", () => {
  fc.assert(
    fc.property(readings, fc.nat(120), fc.array(fc.nat(120), { maxLength: 3 }), (read, joinAt, places) => {
      const [before, after] = cut(blockOf(read), [joinAt]);
      if (before === undefined || after === undefined) return;
      const stage = new FeatureStage([FAST], 0);
      stage.process(before);
      const past = { sinceOffset: 0, blocks: () => cut(before, places), isFor: () => true };
      const made = stage.setViews([FAST, SLOW], before.count, past);
      made.push(...stage.process(after).filter(({ view }) => view === "slow"));
      expect(bits(made)).toEqual(bits(new FeatureStage([SLOW], 0).process(blockOf(read))));
      expect(stage.setViews([SLOW, FAST], read.length, past)).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test("without views nothing is computed", () => {
  const stage = new FeatureStage([], 0);
  expect(stage.process(blockOf([{ atMs: 0 }]))).toEqual([]);
  expect(FeatureStage.restore(stage.checkpoint()).stage.views()).toEqual([]);
});
