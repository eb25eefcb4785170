import {
  contradictions,
  type ExpressionFeature,
  type FeatureView,
  type FunctionFeature,
} from "../contract/feature-view.ts";
import { deriveUnits } from "./check-units.ts";
import { checkWindow } from "./check-window.ts";
import { referencesOf } from "./expression.ts";
import { orderFeatures, readExpression } from "./feature-order.ts";
import { checkSettings } from "./feature-settings.ts";
import { inputsOf } from "./functions/function.ts";
import { FUNCTIONS } from "./functions/registry.ts";
import { nearestName } from "./nearest-name.ts";
import type { ViewIssue } from "./view-error.ts";

/** What other programs call functions of the library. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ["avg", "mean"],
  ["average", "mean"],
  ["stddev", "std"],
  ["stdev", "std"],
  ["sd", "std"],
  ["var", "variance"],
  ["standard_deviation", "std"],
  ["root_mean_square", "rms"],
  ["percentile", "quantile"],
  ["peak_to_peak", "range"],
  ["corr", "correlation"],
  ["ewma", "exponential_mean"],
  ["ema", "exponential_mean"],
  ["day_of_week", "weekday"],
]);

/**
 * What is wrong with a view whose parts are of the right shape: what contradicts itself, functions, settings,
 * expressions, units, window and the memory that it would take, all mistakes at once, each with its path.
 */
export function checkView(view: FeatureView): readonly ViewIssue[] {
  const issues = [
    ...contradictions(view),
    ...checkWindow(view),
    ...view.features.flatMap((feature, place) =>
      ("fn" in feature ? checkFunction(feature) : checkExpression(view, feature)).map((issue) => ({
        ...issue,
        path: ["features", place, ...issue.path],
      })),
    ),
    ...checkCircles(view),
    ...deriveUnits(view).issues,
  ];
  return issues.toSorted((one, other) => placeOf(one) - placeOf(other));
}

/** Which feature an issue is of; what is of the whole view comes first. */
function placeOf({ path: [part, place] }: ViewIssue): number {
  return part === "features" && typeof place === "number" ? place : -1;
}

function checkFunction(feature: FunctionFeature): ViewIssue[] {
  const fn = FUNCTIONS.get(feature.fn);
  if (fn === undefined) {
    const meant = OTHER_NAMES.get(feature.fn) ?? nearestName(feature.fn, [...FUNCTIONS.keys()]);
    const hint = meant === undefined ? "" : `did you mean ${meant}? `;
    const message = `"${feature.fn}" is no function; ${hint}there are ${[...FUNCTIONS.keys()].join(", ")}`;
    return [{ path: ["fn"], message }];
  }
  const [wanted, given] = [inputsOf(fn), [feature.of ?? []].flat().length];
  const inputs =
    given === wanted
      ? []
      : [
          {
            path: ["of"],
            message: `${fn.name} takes ${wanted === 0 ? "no input" : wanted === 1 ? "1 input" : `${wanted} inputs`}, not ${given}`,
          },
        ];
  return [...inputs, ...checkSettings(feature, fn)];
}

function checkExpression(view: FeatureView, feature: ExpressionFeature): ViewIssue[] {
  const expression = readExpression(feature.expr);
  if (typeof expression === "string") return [{ path: ["expr"], message: expression }];
  const names = view.features.map(({ name }) => name);
  return [...referencesOf(expression)].flatMap(([name, at]) => {
    if (names.includes(name)) return [];
    const meant = nearestName(name, names);
    const hint = Object.hasOwn(view.inputs, name)
      ? "; it is an input, of which a function makes a feature first"
      : meant === undefined
        ? ""
        : `; did you mean ${meant}?`;
    return [{ path: ["expr"], message: `"${name}" at character ${at} is no feature of this view${hint}` }];
  });
}

function checkCircles(view: FeatureView): ViewIssue[] {
  return orderFeatures(view.features).circles.map((circle) => {
    const names = [...circle, ...circle.slice(0, 1)].map((place) => view.features[place]?.name);
    return {
      path: ["features", circle[0] ?? 0, "expr"],
      message: `refers to itself: ${names.join(" → ")}`,
    };
  });
}
