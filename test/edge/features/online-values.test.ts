import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import type { FeatureVector } from "@sluice/shared/contract/vector.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { NewestVectors } from "../../../edge/features/newest-vectors.ts";
import { onlineValues } from "../../../edge/features/online-values.ts";

const view = featureViewSchema.parse({
  name: "pump_health",
  owner: "reliability",
  match: { deviceType: "pump" },
  window: { kind: "tumbling", sizeMs: 10_000 },
  inputs: { accel: { metric: "vibration_g" } },
  features: [
    { name: "accel_mean", fn: "mean", of: "accel" },
    { name: "accel_std", fn: "std", of: "accel" },
  ],
  ttlMs: 60_000,
});
const views = [{ view, hash: "h1" }];

const vector = (endS: number, change: Partial<FeatureVector> = {}): FeatureVector => ({
  view: view.name,
  viewHash: "h1",
  device: "p1",
  deviceType: "pump",
  windowStartUs: (endS - 10) * 1e6,
  windowEndUs: endS * 1e6,
  revision: 0,
  sinceOffset: 0,
  throughOffset: endS,
  closedAtUs: (endS + 1) * 1e6,
  closedBy: "watermark",
  readingCount: 10,
  values: [endS, undefined],
  violations: [],
  withheld: false,
  ...change,
});

const ask = (newest: NewestVectors, nowS: number, query: object = {}) =>
  onlineValues({ view: "pump_health", devices: ["p1"], ...query }, views, { newest, nowUs: nowS * 1e6 })
    .vectors[0];

test("each value says whether it is there, and the vector how old it is", () => {
  const newest = new NewestVectors();
  newest.put([vector(100)]);
  expect(ask(newest, 103)).toEqual({
    device: "p1",
    status: "PRESENT",
    ageMs: 3_000,
    windowStart: "1970-01-01T00:01:30.000Z",
    windowEnd: "1970-01-01T00:01:40.000Z",
    revision: 0,
    knownAt: "1970-01-01T00:01:41.000Z",
    closedBy: "watermark",
    readingCount: 10,
    violations: [],
    withheld: false,
    values: { accel_mean: { status: "PRESENT", value: 100 }, accel_std: { status: "NULL" } },
  });
});

test("a vector past its time to live is not given, to the millisecond", () => {
  const newest = new NewestVectors();
  newest.put([vector(100)]);
  expect(ask(newest, 160)?.status).toBe("PRESENT");
  const late = ask(newest, 160.001);
  expect(late).toMatchObject({ status: "OUTSIDE_MAX_AGE", ageMs: 60_001 });
  expect(late?.values).toEqual({
    accel_mean: { status: "OUTSIDE_MAX_AGE" },
    accel_std: { status: "OUTSIDE_MAX_AGE" },
  });
});

test("a device without a vector is not found, and one whose features have no value is null", () => {
  const newest = new NewestVectors();
  newest.put([vector(100, { values: [undefined, undefined] })]);
  expect(ask(newest, 101, { devices: ["p2"] })).toEqual({
    device: "p2",
    status: "NOT_FOUND",
    values: { accel_mean: { status: "NOT_FOUND" }, accel_std: { status: "NOT_FOUND" } },
  });
  expect(ask(newest, 101)?.status).toBe("NULL");
  newest.put([vector(110)]);
  expect(ask(newest, 111, { features: ["accel_std"] })?.status).toBe("NULL");
});

test("a device whose clock is ahead has an age of 0", () => {
  const newest = new NewestVectors();
  newest.put([vector(1_000)]);
  expect(ask(newest, 500)?.ageMs).toBe(0);
});

test("a view or a feature that is not there is refused, and the answer names those that are", () => {
  const newest = new NewestVectors();
  const asked = (query: object) => () => ask(newest, 1, query);
  expect(asked({ view: "nothing" })).toThrow('computes no view "nothing"');
  expect(asked({ view: "constructor" })).toThrow('computes no view "constructor"');
  expect(asked({ features: ["accel_sum"] })).toThrow('has no feature "accel_sum"');
  expect(ask(newest, 1, { view: "h1" })?.status).toBe("NOT_FOUND");
});

/*
 * Goal: what is served is the window that ends last and its last revision, also across checkpoints.
 * Method: random vectors against a map by brute force; the state is taken and restored at a random place.
 */
test("the newest vector of each device is served, also after a restart", () => {
  const made = fc.array(
    fc.record({
      device: fc.constantFrom("p1", "p2", "p3"),
      viewHash: fc.constantFrom("h1", "h2"),
      endS: fc.integer({ min: 0, max: 12 }),
      value: fc.option(fc.integer(), { nil: undefined }),
      violations: fc.constantFrom([], ["accel_mean: 5 is above 4"]),
      withheld: fc.boolean(),
      closedBy: fc.constantFrom("watermark" as const, "idle" as const),
    }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(made, fc.nat(60), (rows, cut) => {
      let newest = new NewestVectors();
      const model = new Map<string, FeatureVector>();
      for (const [i, { endS, value, ...row }] of rows.entries()) {
        if (i === cut) newest = NewestVectors.restore(structuredClone(newest.state()));
        const next = vector(endS, { ...row, revision: i, values: [value, i] });
        newest.put([next]);
        const key = `${row.viewHash} ${row.device}`;
        if (next.windowEndUs >= (model.get(key)?.windowEndUs ?? -Infinity)) model.set(key, next);
      }
      for (const expected of model.values()) {
        const { values, ...found } = newest.get(expected.viewHash, expected.device) ?? {};
        expect(expected).toMatchObject(found);
        expect([...(values ?? [])].map((value) => (Number.isNaN(value) ? undefined : value))).toEqual(
          expected.values,
        );
      }
      newest.keep(new Set(["h2"]));
      expect(newest.get("h1", "p1")).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});

test("a window from when a device's clock was ahead gives way to the first one after the clock was put right", () => {
  const newest = new NewestVectors();
  newest.put([vector(300, { closedAtUs: 60e6 }), vector(70)]);
  expect(ask(newest, 80)).toMatchObject({ windowEnd: "1970-01-01T00:01:10.000Z", ageMs: 10_000 });
  // Revisions of older windows do not, nor an older window beside one that may be right.
  newest.put([vector(60, { revision: 1 }), vector(60)]);
  expect(ask(newest, 80)).toMatchObject({ windowEnd: "1970-01-01T00:01:10.000Z" });
});
