import type { FeatureView, FunctionFeature } from "../contract/feature-view.ts";
import type { FeatureFunction } from "./functions/function.ts";
import { FUNCTIONS } from "./functions/registry.ts";

/** One mistake in a view, with the path to it. */
export interface ViewIssue {
  readonly path: (string | number)[];
  readonly message: string;
}

/** A view that names a function or a setting that the library does not have. */
export class ViewError extends Error {
  readonly issues: readonly ViewIssue[];

  constructor(view: string, issues: readonly ViewIssue[]) {
    const list = issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
    super(`feature view "${view}": ${list}`);
    this.name = "ViewError";
    this.issues = issues;
  }
}

/** What the function library finds wrong with a view that has passed the view's schema: all mistakes at once. */
export function checkView(view: FeatureView): readonly ViewIssue[] {
  const { kind } = view.window;
  if (kind !== "tumbling" && kind !== "hopping")
    return [{ path: ["window", "kind"], message: `windows of kind "${kind}" cannot be computed` }];
  return view.features.flatMap((feature, position) =>
    ("fn" in feature
      ? checkFeature(view, feature)
      : [{ path: ["expr"], message: "expressions cannot be computed" }]
    ).map(({ path, message }) => ({ path: ["features", position, ...path], message })),
  );
}

function checkFeature(view: FeatureView, feature: FunctionFeature): ViewIssue[] {
  const fn = FUNCTIONS.get(feature.fn);
  if (fn === undefined)
    return [
      {
        path: ["fn"],
        message: `"${feature.fn}" is no function; there are ${[...FUNCTIONS.keys()].join(", ")}`,
      },
    ];
  return [...checkInputs(view, feature, fn), ...checkSettings(feature, fn)];
}

function checkInputs(view: FeatureView, feature: FunctionFeature, fn: FeatureFunction): ViewIssue[] {
  const inputs = [feature.of ?? []].flat();
  const wanted = fn.kind === "two inputs" ? 2 : 1;
  if (inputs.length !== wanted)
    return [
      {
        path: ["of"],
        message: `${fn.name} takes ${wanted} ${wanted === 1 ? "input" : "inputs"}, not ${inputs.length}`,
      },
    ];
  // Own members only: "constructor" is a valid name and every object has one.
  return inputs
    .filter((input) => !Object.hasOwn(view.inputs, input))
    .map((input) => ({
      path: ["of"],
      message: `"${input}" is not one of the inputs ${Object.keys(view.inputs).join(", ")}`,
    }));
}

function checkSettings(feature: FunctionFeature, fn: FeatureFunction): ViewIssue[] {
  const rules = fn.settings ?? {};
  const given = feature.with ?? {};
  const unknown = Object.keys(given)
    .filter((name) => !Object.hasOwn(rules, name))
    .map((name) => ({
      path: ["with", name],
      message: `${fn.name} has no such setting; it takes ${Object.keys(rules).join(", ") || "none"}`,
    }));
  const wrong = Object.entries(rules).flatMap(([name, rule]) => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (typeof value === "number" && value >= rule.min && value <= rule.max) return [];
    const found = value === undefined ? "is missing" : `is ${JSON.stringify(value)}`;
    return [
      { path: ["with", name], message: `${found}; ${fn.name} needs it from ${rule.min} to ${rule.max}` },
    ];
  });
  return [...unknown, ...wrong];
}
