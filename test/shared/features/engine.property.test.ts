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

const timing = {
  allowedLatenessMs: fc.constantFrom(0, 50, 200),
  correctionMs: fc.constantFrom(0, 100, 350, 1_000),
  idleAfterMs: fc.constantFrom(undefined, undefined, 1_000, 3_000),
};

const windows = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("hopping"), ...timing }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("tumbling"), sizeMs: fc.constant(200), ...timing }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("sliding"),
      sizeMs: fc.constantFrom(100, 250),
      hopMs: fc.constantFrom(undefined, 100),
      ...timing,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("session"),
      gapMs: fc.constantFrom(100, 150),
      sizeMs: fc.constantFrom(150, 400),
      ...timing,
    }),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ readings: fc.integer({ min: 1, max: 6 }), hop: fc.integer({ min: 1, max: 6 }), ...timing })
      .map(({ readings, hop, ...rest }) => ({
        kind: "count",
        of: "a",
        readings,
        hopReadings: hop > readings ? undefined : hop,
        ...rest,
      })),
  },
);

/** Mostly forward in time, sometimes back, now and then a gap; most messages have one reading, some a few. */
const steps = fc.array(
  fc.record({
    device: fc.constantFrom("p1", "p2"),
    metric: fc.constantFrom("a", "a", "b"),
    stepMs: fc.oneof(
      { weight: 40, arbitrary: fc.integer({ min: -20, max: 90 }) },
      { weight: 3, arbitrary: fc.integer({ min: -400, max: 0 }) },
      { weight: 1, arbitrary: fc.constantFrom(10_000, 1_000_000_000) },
    ),
    silenceMs: fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 0, max: 200 }) },
      { weight: 2, arbitrary: fc.constantFrom(-5_000, 1_000, 4_000) },
    ),
    goesOn: fc.oneof(
      { weight: 5, arbitrary: fc.constant(false) },
      { weight: 2, arbitrary: fc.constant(true) },
    ),
    value: fc.integer({ min: -1_000, max: 1_000 }),
  }),
  { maxLength: 80, size: "max" },
);

interface Step {
  readonly stepMs: number;
  readonly silenceMs: number;
  /** Whether it is of the message of the step before, and so of its device. */
  readonly goesOn: boolean;
  readonly device: string;
  readonly metric: string;
  readonly value: number;
}

function walk(walked: readonly Step[]): TestReading[] {
  const atMs = new Map<string, number>();
  let message = { offset: -1, receivedAtMs: 50_000, device: "" };
  return walked.map(({ stepMs, silenceMs, goesOn, metric, value, ...own }) => {
    if (!goesOn || message.offset === -1)
      message = {
        offset: message.offset + 1,
        receivedAtMs: message.receivedAtMs + silenceMs,
        device: own.device,
      };
    const next = (atMs.get(message.device) ?? 1_000) + stepMs;
    atMs.set(message.device, next);
    return { metric, value, atMs: next, ...message };
  });
}

const readings = steps.map(walk);

type Window = Parameters<typeof viewOf>[1];

const viewWith = (window: Window, all: boolean): FeatureView =>
  viewOf(
    all ? everyFunction() : [{ fn: "count" }, { fn: "sum" }, { fn: "first" }, { fn: "deviation" }],
    window,
  );

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
        made.map(
          ({ device, windowStartUs: startUs, windowEndUs: endUs, revision, throughOffset, closedBy }) =>
            `${device} ${startUs}-${endUs} r${revision} by ${closedBy} in ${throughOffset}`,
        ),
      ).toEqual(
        expected.map(
          ({ device, startUs, endUs, revision, offset, closedBy }) =>
            `${device} ${startUs}-${endUs} r${revision} by ${closedBy} in ${offset}`,
        ),
      );
      for (const [i, { values }] of expected.entries()) {
        expect(made[i]?.values.slice(0, 3)).toEqual(values.slice(0, 3));
        const deviation = values[3];
        expect(made[i]?.values[3]).toEqual(nearly(deviation, 9));
      }
    }),
    { numRuns: 1_000 },
  );
});

test("the model sees revisions, gaps, silence and first vectors from late readings, or it would prove nothing", () => {
  const seen = new Map<string, number>();
  const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
  fc.assert(
    fc.property(windows, readings, (window, read) => {
      const vectors = modelVectors(viewWith(window, false), read);
      for (const [i, vector] of vectors.entries()) {
        const before = vectors.slice(0, i).filter(({ device }) => device === vector.device);
        count(`${window.kind} vectors`);
        if (vector.closedBy === "idle") count(`${window.kind} idle`);
        if (vector.revision > 0) count(`${window.kind} revisions`);
        else if (before.some(({ startUs }) => startUs > vector.startUs)) count(`${window.kind} late first`);
        if (before.some(({ startUs, endUs }) => startUs === vector.startUs && endUs < vector.endUs))
          count(`${window.kind} extended`);
      }
    }),
    { seed: 1, numRuns: 1_000 },
  );
  for (const kind of ["tumbling", "hopping", "sliding", "session", "count"]) {
    expect(seen.get(`${kind} vectors`)).toBeGreaterThan(300);
    expect(seen.get(`${kind} idle`)).toBeGreaterThan(20);
    expect(seen.get(`${kind} revisions`)).toBeGreaterThan(20);
  }
  for (const kind of ["tumbling", "hopping", "sliding", "session"])
    expect(seen.get(`${kind} late first`)).toBeGreaterThan(2);
  expect(seen.get("session extended")).toBeGreaterThan(5);
  expect(seen.get("count extended")).toBeGreaterThan(5);
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
        made.push(...engine.take(block));
        const { place = read.length, restart = false } = sorted[i] ?? {};
        if (!restart || (place > 0 && read[place]?.offset === read[place - 1]?.offset)) continue;
        made.push(...engine.settle());
        engine = WindowEngine.restore(view, "hash", engine.checkpoint());
      }
      made.push(...engine.settle());
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
        const made = live.process(blockOf(read.filter(({ offset = 0 }) => offset >= since)));
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
    fc.property(jittered, windows, (drawn, window) => {
      const view = viewWith(
        { ...window, allowedLatenessMs: 200, correctionMs: 500, idleAfterMs: undefined },
        true,
      );
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
      // A message of withheld readings lets time pass, which one that never came does not.
      const view = viewWith({ ...window, idleAfterMs: undefined }, true);
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
