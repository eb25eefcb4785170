import type { Feature, FeatureView, FunctionFeature } from "../contract/feature-view.ts";
import { unitOfExpression } from "./expression-unit.ts";
import { orderFeatures, readExpression } from "./feature-order.ts";
import { FUNCTIONS } from "./functions/registry.ts";
import { applyUnitRule, parseUnit, sameUnit, unitText, type Unit } from "./unit.ts";
import type { ViewIssue } from "./view-error.ts";

interface Derived {
  readonly unit: Unit | undefined;
  readonly issues: readonly ViewIssue[];
}

/**
 * The unit of each feature of a view as far as it is known, and where units clash: from the units of the inputs by the
 * rules of the functions and through expressions, else as the feature states it.
 */
export function deriveUnits(view: FeatureView): {
  readonly units: readonly (Unit | undefined)[];
  readonly issues: readonly ViewIssue[];
} {
  const units: (Unit | undefined)[] = view.features.map(() => undefined);
  const issues: ViewIssue[] = checkInputs(view);
  const places = new Map(view.features.map(({ name }, place) => [name, place]));
  for (const place of orderFeatures(view.features).order) {
    const feature = view.features[place];
    if (feature === undefined) continue;
    const derived =
      "fn" in feature
        ? unitOfFunction(view, feature)
        : unitOfText(feature.expr, (name) => units[places.get(name) ?? -1]);
    const found = [...derived.issues, ...checkStated(feature, derived.unit)];
    issues.push(...found.map((issue) => ({ ...issue, path: ["features", place, ...issue.path] })));
    units[place] = derived.unit ?? (feature.unit === undefined ? undefined : parseUnit(feature.unit));
  }
  return { units, issues };
}

/** Two inputs of one metric are stored in one unit. */
function checkInputs(view: FeatureView): ViewIssue[] {
  const stored = new Map<string, { readonly input: string; readonly unit: string }>();
  return Object.entries(view.inputs).flatMap(([input, { metric, unit }]) => {
    if (unit === undefined) return [];
    const other = stored.get(metric);
    if (other === undefined) stored.set(metric, { input, unit });
    if (other === undefined || sameUnit(parseUnit(other.unit), parseUnit(unit))) return [];
    const message = `is "${unit}", but the input ${other.input} has the metric ${metric} in "${other.unit}"`;
    return [{ path: ["inputs", input, "unit"], message }];
  });
}

function unitOfFunction(view: FeatureView, feature: FunctionFeature): Derived {
  const fn = FUNCTIONS.get(feature.fn);
  if (fn === undefined) return { unit: undefined, issues: [] };
  const inputs = [feature.of ?? []].flat().map((name) => {
    const unit = Object.hasOwn(view.inputs, name) ? view.inputs[name]?.unit : undefined;
    return unit === undefined ? undefined : parseUnit(unit);
  });
  const [first, second] = inputs;
  const unlike =
    fn.kind === "two inputs" &&
    fn.alike === true &&
    first !== undefined &&
    second !== undefined &&
    !sameUnit(first, second);
  if (!unlike) return { unit: applyUnitRule(fn.unit, inputs), issues: [] };
  const message = `${fn.name} needs two inputs of one unit, not "${unitText(first)}" and "${unitText(second)}"`;
  return { unit: undefined, issues: [{ path: ["of"], message }] };
}

function unitOfText(text: string, unitOf: (feature: string) => Unit | undefined): Derived {
  const expression = readExpression(text);
  if (typeof expression === "string") return { unit: undefined, issues: [] }; // Said of the expression already.
  const { unit, clashes } = unitOfExpression(expression, unitOf);
  return { unit, issues: clashes.map((message) => ({ path: ["expr"], message })) };
}

function checkStated(feature: Feature, derived: Unit | undefined): ViewIssue[] {
  if (feature.unit === undefined || derived === undefined || sameUnit(parseUnit(feature.unit), derived))
    return [];
  const what =
    "fn" in feature
      ? `${feature.fn}${[feature.of ?? []]
          .flat()
          .map((name) => ` ${name}`)
          .join(" and")}`
      : feature.expr;
  return [{ path: ["unit"], message: `is "${feature.unit}", but ${what} is in "${unitText(derived)}"` }];
}
