import { featureViewSchema, type FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { checkView } from "@sluice/shared/features/check-view.ts";
import { STATE_DOUBLES_MAX } from "@sluice/shared/features/check-window.ts";
import { compileView } from "@sluice/shared/features/compile-view.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import { Samples } from "@sluice/shared/features/samples.ts";
import { ViewError } from "@sluice/shared/features/view-error.ts";
import { expect, test } from "vitest";
import { type TestFeature, viewOf } from "./readings.ts";

test("a view that the library can compute has no issues", () => {
  const view = viewOf([
    { fn: "mean" },
    { fn: "quantile", with: { q: 0.9 } },
    { fn: "ratio", of: ["a", "b"] },
  ]);
  expect(checkView(view)).toEqual([]);
});

test.each([
  [{ fn: "avg" }, "fn", /"avg" is no function; did you mean mean\? there are count, mean/],
  [{ fn: "constructor" }, "fn", /is no function/],
  [{ fn: "mean", of: ["a", "b"] }, "of", /mean takes 1 input, not 2/],
  [{ fn: "ratio", of: "a" }, "of", /ratio takes 2 inputs, not 1/],
  [{ fn: "mean", with: { q: 1 } }, "with.q", /mean has no such setting; it takes none/],
  [{ fn: "quantile" }, "with.q", /is missing; quantile needs a number from 0 to 1/],
  [{ fn: "quantile", with: { q: 1.5 } }, "with.q", /is 1.5; quantile needs a number from 0 to 1/],
  [{ fn: "quantile", with: { q: 0.5, p: 1 } }, "with.p", /no such setting; it takes q/],
])("%j is refused with the path of the mistake", (feature, path, message) => {
  const view = viewOf([
    { fn: "mean" },
    { ...feature, ...("of" in feature ? { of: [feature.of].flat() } : {}) },
  ]);
  const [issue, ...others] = checkView(view);
  expect(others).toEqual([]);
  expect(issue?.path.join(".")).toBe(`features.1.${path}`);
  expect(issue?.message).toMatch(message);
  expect(() => new WindowEngine(view, "hash", 0)).toThrow(ViewError);
});

test("an input that is only a member of every object is no input", () => {
  expect(() => viewOf([{ fn: "mean", of: "constructor" }])).toThrow(
    /constructor.* is not one of the inputs a, b/,
  );
});

test("all mistakes are reported at once", () => {
  expect(checkView(viewOf([{ fn: "x" }, { fn: "y" }, { fn: "quantile" }]))).toHaveLength(3);
});

test.each([
  ["skew", "skewness"],
  ["kurtosys", "kurtosis"],
  ["stddev", "std"],
  ["zero_crossing", "zero_crossings"],
  ["ewma", "exponential_mean"],
])("of %s it is asked whether %s is meant", (fn, meant) => {
  expect(checkView(viewOf([{ fn }]))[0]?.message).toContain(`did you mean ${meant}?`);
});

test("a name that is like no other is only answered by all there are", () => {
  expect(checkView(viewOf([{ fn: "fourier" }]))[0]?.message).toMatch(
    /^"fourier" is no function; there are count/,
  );
});

test.each([
  [{ fn: "hour", of: "a" }, "of", "hour takes no input, not 1"],
  [{ fn: "mean", of: undefined }, "of", "mean takes 1 input, not 0"],
  [
    { fn: "hour", of: undefined, with: { zone: "Europe/Atlantis" } },
    "with.zone",
    '"Europe/Atlantis" is no time zone such as Europe/Berlin',
  ],
  [
    { fn: "hour", of: undefined, with: { zone: 1 } },
    "with.zone",
    "is the number 1; hour needs a time zone such as Europe/Berlin",
  ],
  [
    { fn: "quantile", with: { q: "0.5" } },
    "with.q",
    'is the text "0.5"; quantile needs a number from 0 to 1',
  ],
  [{ fn: "lag", with: { windows: 1.5 } }, "with.windows", "is 1.5; lag needs a whole number from 1 to 1000"],
  [{ fn: "lag", with: { windows: 0 } }, "with.windows", "is 0; lag needs a whole number from 1 to 1000"],
  [{ fn: "mean", from: "previous" }, "from", "mean is measured from nothing"],
  [
    { fn: "deviation", from: "yesterday" },
    "from",
    '"yesterday" is not one of cumulative_mean, exponential_mean, previous, first_windows',
  ],
  [{ fn: "deviation", with: { from: "previous" } }, "with.from", "stands beside `with`, not in it"],
  [{ fn: "deviation", from: "exponential_mean" }, "with", "a deviation from exponential_mean needs alpha"],
  [{ fn: "deviation", with: { alpha: 0.5 } }, "with", "alpha is for a deviation from exponential_mean"],
  [{ fn: "missing_share" }, "with", "missing_share needs either interval_s or rate_hz"],
  [
    { fn: "missing_share", with: { interval_s: 1, rate_hz: 1 } },
    "with",
    "missing_share needs either interval_s or rate_hz",
  ],
  [{ fn: "entropy", with: { bins: 4, low: 1 } }, "with", "entropy needs both low and high, or neither"],
  [{ fn: "entropy", with: { bins: 4, low: 1, high: 1 } }, "with", "low 1 must be below high 1"],
  [{ fn: "count_since", with: { above: 1, below: 0 } }, "with", "count_since needs either above or below"],
])("%j is refused at %s: %s", (feature, path, message) => {
  expect(checkView(viewOf([feature])).map((issue) => [issue.path.join("."), issue.message])).toEqual([
    [`features.0.${path}`, message],
  ]);
});

/** A view of two means, f0 and f1, and of expressions, e0 and so on. */
function viewOfExpressions(...expressions: readonly string[]): FeatureView {
  const view = viewOf([{ fn: "mean" }, { fn: "max" }]);
  return {
    ...view,
    features: [...view.features, ...expressions.map((expr, i) => ({ name: `e${i}`, expr }))],
  };
}

test.each([
  [["f0 +"], "features.2.expr: ends at character 4, where a feature, a number or a bracket is missing"],
  [["f0 + f00"], 'features.2.expr: "f00" at character 6 is no feature of this view; did you mean f0?'],
  [["f0 + whatever"], 'features.2.expr: "whatever" at character 6 is no feature of this view'],
  [
    ["a / f0"],
    'features.2.expr: "a" at character 1 is no feature of this view; it is an input, of which a function makes a feature first',
  ],
  [["e0 + 1"], "features.2.expr: refers to itself: e0 → e0"],
  [["f0 + e1", "e2 * 2", "f1 - e0"], "features.2.expr: refers to itself: e0 → e1 → e2 → e0"],
  [["e1", "e2 + 1", "-e1"], "features.3.expr: refers to itself: e1 → e2 → e1"],
])("the expressions %j are refused: %s", (expressions, expected) => {
  const issues = checkView(viewOfExpressions(...expressions));
  expect(issues.map(({ path, message }) => `${path.join(".")}: ${message}`)).toEqual([expected]);
});

test("an expression is computed after what it names, wherever that stands, and nothing from nothing", () => {
  const view = compileView(viewOfExpressions("e1 * 10", "f0 + f1", "e0 > 65"));
  const evaluate = (...values: readonly number[]) =>
    view.evaluate([Samples.of(Float64Array.from(values)), new Samples()], new Float64Array(0), {
      startUs: 0,
      endUs: 1,
    });
  expect(evaluate(2, 4)).toEqual([3, 4, 70, 7, 1]);
  expect(evaluate()).toEqual([undefined, undefined, undefined, undefined, undefined]);
});

const windowed = (window: object, features: readonly TestFeature[] = [{ fn: "mean" }]): FeatureView =>
  featureViewSchema.parse({ ...viewOf(features), window });

test.each([
  [
    { kind: "sliding", sizeMs: 1_000, hopMs: 1_001 },
    "window.hopMs: must not be above sizeMs: readings would be in no window",
  ],
  [
    { kind: "session", gapMs: 5_000, sizeMs: 1_000 },
    "window.gapMs: must not be above sizeMs: every session would be cut before it can end",
  ],
  [
    { kind: "count", of: "a", readings: 10, hopReadings: 11 },
    "window.hopReadings: must not be above readings: readings would be in no window",
  ],
])("the window %j is impossible", (window, expected) => {
  const issues = checkView(windowed(window));
  expect(issues.map(({ path, message }) => `${path.join(".")}: ${message}`)).toEqual([expected]);
});

test.each([
  { kind: "hopping", sizeMs: 1_000, hopMs: 2_000 },
  { kind: "hopping", sizeMs: 1_000, hopMs: 300 },
  { kind: "hopping", sizeMs: 0, hopMs: 0 },
  { kind: "tumbling", sizeMs: -1_000 },
  { kind: "tumbling", sizeMs: 1e300 },
  { kind: "tumbling", sizeMs: 2 ** 53 },
  { kind: "tumbling", sizeMs: Number.NaN },
  { kind: "count", of: "c", readings: 10 },
  { kind: "count", of: "a", readings: 0 },
])("the window %j does not pass the schema", (window) => {
  expect(() => windowed(window)).toThrow(/"window"/);
});

test("more state per device than there may be is refused", () => {
  const lags = (count: number): TestFeature[] =>
    Array.from({ length: count }, () => ({ fn: "lag", with: { windows: 1_000 } }));
  expect(checkView(viewOf(lags(4)))).toEqual([]);
  expect(checkView(viewOf(lags(5)))).toEqual([
    {
      path: ["features"],
      message: `the stateful functions keep 5005 numbers per device; ${STATE_DOUBLES_MAX} is the most`,
    },
  ]);
});

test("more states of windows that can be revised than fit into memory are refused, with what to change", () => {
  const lag = [{ fn: "lag", with: { windows: 1_000 } }];
  const window = { kind: "hopping", sizeMs: 1_000, hopMs: 100, correctionMs: 3_600_000 };
  expect(checkView(windowed(window, lag))).toEqual([
    {
      path: ["window", "correctionMs"],
      message:
        "36001 windows can be revised, with a state of 1001 numbers each: 292904136 bytes per device, 16777216 is the most; shorten correctionMs or hop less often",
    },
  ]);
  expect(checkView(windowed(window))).toEqual([]);
});

test("mistakes of every kind are all reported at once, each at its place", () => {
  const view = featureViewSchema.parse({
    ...viewOf([{ fn: "mean" }]),
    window: { kind: "sliding", sizeMs: 1_000, hopMs: 2_000 },
    inputs: { a: { metric: "a", unit: "g" }, b: { metric: "a", unit: "bar" } },
    features: [
      { name: "x", fn: "medain", of: "a" },
      { name: "y", fn: "quantile", of: "a", with: { q: 2 } },
      { name: "z", expr: "y + nothing" },
      { name: "p", expr: "q" },
      { name: "q", expr: "p" },
      { name: "m", fn: "mean", of: "a", unit: "bar" },
    ],
  });
  const paths = checkView(view).map(({ path }) => path.join("."));
  expect(paths).toEqual([
    "window.hopMs",
    "inputs.b.unit",
    "features.0.fn",
    "features.1.with.q",
    "features.2.expr",
    "features.3.expr",
    "features.5.unit",
  ]);
});
