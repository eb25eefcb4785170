import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { deriveUnits } from "@sluice/shared/features/check-units.ts";
import { FUNCTIONS } from "@sluice/shared/features/functions/registry.ts";
import { applyUnitRule, parseUnit, sameUnit, timesUnit, unitText } from "@sluice/shared/features/unit.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { everyFunction } from "./functions-all.ts";

interface Units {
  readonly a?: string;
  readonly b?: string;
}

function viewIn({ a, b }: Units, features: readonly object[]): FeatureView {
  return featureViewSchema.parse({
    name: "test_view",
    owner: "tests",
    match: { deviceType: "pump" },
    window: { kind: "tumbling", sizeMs: 1_000 },
    inputs: {
      a: { metric: "a", ...(a === undefined ? {} : { unit: a }) },
      b: { metric: "b", ...(b === undefined ? {} : { unit: b }) },
    },
    features: features.map((feature, i) => ({ name: `f${i}`, ...feature })),
  });
}

test.each([
  [["m/s^2", "m/s²", "m/s2", "m·s⁻²", "m s-2", "m/s/s", "s^-2*m", "m/sec^2"], "m/s^2"],
  [["°C", "Cel", "degC", "℃"], "°C"],
  [["1", "", " "], "1"],
  [["1/min", "min-1", "min^-1"], "1/min"],
  [["m³/h", "m3/h", "m^3/h", "m3/hour"], "m^3/h"],
  [["µm", "um", "μm"], "μm"],
  [["N·m", "N.m", "N m", "m*N"], "N*m"],
  [["%RH"], "%RH"],
  [["mmH2O"], "mmH2O"],
])("the units %j are one", (texts, text) => {
  for (const spelling of texts) expect(sameUnit(parseUnit(spelling), parseUnit(texts[0] ?? ""))).toBe(true);
  expect(unitText(parseUnit(texts[0] ?? ""))).toBe(text);
});

test.each([
  ["g", "mg"],
  ["m/s", "m/s^2"],
  ["%", "1"],
  ["1/s", "s"],
  ["dB(A)", "dB"],
])("%s and %s are two units", (one, other) => {
  expect(sameUnit(parseUnit(one), parseUnit(other))).toBe(false);
});

test("what a unit is written as is read as the same unit, and a product divided again is what it was", () => {
  const unit = fc
    .array(fc.tuple(fc.constantFrom("m", "s", "kg", "K", "°C", "%"), fc.integer({ min: -3, max: 3 })), {
      maxLength: 4,
    })
    .map((powers) => parseUnit(powers.map(([symbol, power]) => `${symbol}^${power}`).join("*")));
  fc.assert(
    fc.property(unit, unit, (one, other) => {
      expect(sameUnit(parseUnit(unitText(one)), one)).toBe(true);
      expect(sameUnit(timesUnit(timesUnit(one, other), other, -1), one)).toBe(true);
    }),
  );
});

test.each([
  ["input^2", ["m/s", "K"], "m^2/s^2"],
  ["input*other", ["m/s", "s"], "m"],
  ["input/other", ["K", "K"], "1"],
  ["input/s^2", ["g", undefined], "g/s^2"],
  ["input*s", [undefined, "K"], undefined],
  ["s", [undefined, undefined], "s"],
] as const)("the rule %s over %j is %s", (rule, inputs, expected) => {
  const unit = applyUnitRule(
    rule,
    inputs.map((text) => (text === undefined ? undefined : parseUnit(text))),
  );
  expect(unit === undefined ? undefined : unitText(unit)).toBe(expected);
});

test("every function of the library has a unit that follows from those of its inputs", () => {
  const { units, issues } = deriveUnits(viewIn({ a: "g", b: "g" }, everyFunction()));
  expect(issues).toEqual([]);
  const names = [...FUNCTIONS.keys()];
  const derived = new Map(
    units.map((unit, i) => [names[i], unit === undefined ? undefined : unitText(unit)]),
  );
  expect(derived.get("rms")).toBe("g");
  expect(derived.get("variance")).toBe("g^2");
  expect(derived.get("covariance")).toBe("g^2");
  expect(derived.get("ratio")).toBe("1");
  expect(derived.get("integral")).toBe("g*s");
  expect(derived.get("curvature")).toBe("g/s^2");
  expect(derived.get("staleness")).toBe("s");
  expect(derived.get("hour")).toBe("h");
  expect([...derived].filter(([, unit]) => unit === undefined)).toEqual([]);
});

const mean = (of: string, unit?: string): object => ({
  fn: "mean",
  of,
  ...(unit === undefined ? {} : { unit }),
});

test.each([
  [{ a: "g" }, [mean("a", "m/s²")], "features.0.unit", 'is "m/s²", but mean a is in "g"'],
  [
    { a: "g" },
    [{ fn: "variance", of: "a", unit: "g" }],
    "features.0.unit",
    'is "g", but variance a is in "g^2"',
  ],
  [{}, [{ fn: "kurtosis", of: "a", unit: "g" }], "features.0.unit", 'is "g", but kurtosis a is in "1"'],
  [
    { a: "g", b: "bar" },
    [{ fn: "difference", of: ["a", "b"] }],
    "features.0.of",
    'difference needs two inputs of one unit, not "g" and "bar"',
  ],
  [
    { a: "g", b: "bar" },
    [mean("a"), mean("b"), { expr: "f0 + f1" }],
    "features.2.expr",
    '"+" at character 4 has "g" on one side and "bar" on the other',
  ],
  [
    { a: "g", b: "bar" },
    [mean("a"), mean("b"), { expr: "max(f0, 1, f1)" }],
    "features.2.expr",
    'max at character 1 has "g" on one side and "bar" on the other',
  ],
  [
    { a: "g", b: "bar" },
    [{ expr: "f1 > f2" }, mean("a"), mean("b")],
    "features.0.expr",
    '">" at character 4 has "g" on one side and "bar" on the other',
  ],
  [
    { a: "g", b: "s" },
    [mean("a"), mean("b"), { expr: "f0 / f1", unit: "g*s" }],
    "features.2.unit",
    'is "g*s", but f0 / f1 is in "g/s"',
  ],
  [
    { a: "g" },
    [mean("a"), { expr: "sqrt(f0 * f0)", unit: "1" }],
    "features.1.unit",
    'is "1", but sqrt(f0 * f0) is in "g"',
  ],
  [{}, [mean("a", "g"), { expr: "f0 < 3", unit: "g" }], "features.1.unit", 'is "g", but f0 < 3 is in "1"'],
] as const)("%j with %j: a clash at %s", (units, features, path, message) => {
  const { issues } = deriveUnits(viewIn(units, features));
  expect(issues.map((issue) => [issue.path.join("."), issue.message])).toEqual([[path, message]]);
});

test.each([
  [{ a: "m/s^2" }, [mean("a", "m·s⁻²")]],
  [{}, [mean("a", "anything"), { fn: "ratio", of: ["a", "b"], unit: "furlong" }]],
  [
    { a: "g" },
    [
      mean("a"),
      { expr: "f0 + 1", unit: "g" },
      { expr: "2 * f0 / (f0 + 0.1)", unit: "1" },
      { expr: "1 / f0", unit: "1/g" },
    ],
  ],
  [
    { a: "g" },
    [
      mean("a"),
      mean("b"),
      { expr: "f0 + f1", unit: "g" },
      { expr: "f0 * f1", unit: "?" },
      { expr: "1 + 1", unit: "K" },
    ],
  ],
  [
    { a: "m", b: "m" },
    [
      mean("a"),
      mean("b"),
      { expr: "sqrt(f0 * f0 + f1 * f1)", unit: "m" },
      { expr: "abs(-f0) >= min(f1, 3)", unit: "1" },
    ],
  ],
] as const)("%j with %j: no clash", (units, features) => {
  expect(deriveUnits(viewIn(units, features)).issues).toEqual([]);
});

test("two inputs of one metric are in one unit", () => {
  const view = viewIn({}, [mean("a")]);
  const inputs = {
    a: { metric: "x", unit: "g" },
    b: { metric: "x", unit: "m/s²" },
    c: { metric: "x", unit: "g" },
  };
  expect(deriveUnits({ ...view, inputs }).issues).toEqual([
    { path: ["inputs", "b", "unit"], message: 'is "m/s²", but the input a has the metric x in "g"' },
  ]);
});
