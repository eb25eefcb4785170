import type { FeatureView, FunctionFeature } from "../contract/feature-view.ts";
import { checkView } from "./check-view.ts";
import { compileExpression } from "./expression-value.ts";
import { parseExpression } from "./expression.ts";
import { settingsOf } from "./feature-settings.ts";
import { orderFeatures } from "./feature-order.ts";
import { FUNCTIONS } from "./functions/registry.ts";
import { Samples } from "./samples.ts";
import { ViewError } from "./view-error.ts";
import { type WindowTimes, windowTimes } from "./window-times.ts";

/** The bounds of one window, half-open. */
export interface WindowBounds {
  readonly startUs: number;
  readonly endUs: number;
}

/** A view ready to run. */
export interface CompiledView {
  readonly view: FeatureView;
  readonly window: WindowTimes;
  /** The metrics that it reads, each once: an input is a place in this list. */
  readonly metrics: readonly string[];
  /** How many numbers of state its functions keep per device. */
  readonly stateDoubles: number;
  /** All features over one window's samples, one entry per metric. Finite (never -0, which JSON lacks) or undefined. */
  evaluate(inputs: readonly Samples[], state: Float64Array, bounds: WindowBounds): (number | undefined)[];
  /** Takes a window that has just closed into the state. */
  advance(inputs: readonly Samples[], state: Float64Array, bounds: WindowBounds): void;
}

type Evaluate = (inputs: readonly Samples[], state: Float64Array, bounds: WindowBounds) => number | undefined;
type Advance = (inputs: readonly Samples[], state: Float64Array, bounds: WindowBounds) => void;

/** Throws a ViewError where `checkView` finds a mistake. */
export function compileView(view: FeatureView): CompiledView {
  const issues = checkView(view);
  if (issues.length > 0) throw new ViewError(view.name, issues);
  const metrics = [...new Set(Object.values(view.inputs).map((input) => input.metric))];
  const functions: { readonly place: number; readonly evaluate: Evaluate }[] = [];
  const advances: Advance[] = [];
  let stateDoubles = 0;
  for (const [place, feature] of view.features.entries()) {
    if (!("fn" in feature)) continue;
    const compiled = compileFeature(view, feature, metrics, stateDoubles);
    functions.push({ place, evaluate: compiled.evaluate });
    if (compiled.advance !== undefined) advances.push(compiled.advance);
    stateDoubles += compiled.doubles;
  }
  const expressions = compileExpressions(view);
  return {
    view,
    window: windowTimes(view, metrics),
    metrics,
    stateDoubles,
    evaluate(inputs, state, bounds) {
      const values: (number | undefined)[] = view.features.map(() => undefined);
      for (const { place, evaluate } of functions) values[place] = finite(evaluate(inputs, state, bounds));
      for (const { place, evaluate } of expressions) values[place] = finite(evaluate(values));
      return values;
    },
    advance(inputs, state, bounds) {
      for (const advance of advances) advance(inputs, state, bounds);
    },
  };
}

interface CompiledExpression {
  readonly place: number;
  readonly evaluate: (values: readonly (number | undefined)[]) => number | undefined;
}

/** The view's expressions, each after those that it refers to. */
function compileExpressions(view: FeatureView): CompiledExpression[] {
  const places = new Map(view.features.map(({ name }, place) => [name, place]));
  return orderFeatures(view.features).order.flatMap((place) => {
    const feature = view.features[place];
    if (feature === undefined || !("expr" in feature)) return [];
    return [{ place, evaluate: compileExpression(parseExpression(feature.expr), places) }];
  });
}

interface CompiledFeature {
  readonly evaluate: Evaluate;
  readonly advance?: Advance;
  readonly doubles: number;
}

const NONE = new Samples();

function compileFeature(
  view: FeatureView,
  feature: FunctionFeature,
  metrics: readonly string[],
  at: number,
): CompiledFeature {
  const fn = FUNCTIONS.get(feature.fn);
  if (fn === undefined)
    throw new ViewError(view.name, [{ path: ["features", "fn"], message: `"${feature.fn}" is no function` }]);
  const [first = -1, second = -1] = [feature.of ?? []]
    .flat()
    .map((name) => metrics.indexOf(view.inputs[name]?.metric ?? ""));
  const settings = settingsOf(feature, fn);
  const call = ({ startUs, endUs }: WindowBounds) => ({ settings, startUs, endUs });
  switch (fn.kind) {
    case "no input":
      return { evaluate: (_, __, bounds) => fn.evaluate(call(bounds)), doubles: 0 };
    case "one input":
      return {
        evaluate: (inputs, _, bounds) => fn.evaluate(inputs[first] ?? NONE, call(bounds)),
        doubles: 0,
      };
    case "two inputs":
      return {
        evaluate: (inputs, _, bounds) =>
          fn.evaluate(inputs[first] ?? NONE, inputs[second] ?? NONE, call(bounds)),
        doubles: 0,
      };
    case "stateful": {
      const doubles = fn.doubles(settings);
      const own = (state: Float64Array): Float64Array => state.subarray(at, at + doubles);
      return {
        evaluate: (inputs, state, bounds) => fn.evaluate(inputs[first] ?? NONE, own(state), call(bounds)),
        advance: (inputs, state, bounds) => fn.advance(inputs[first] ?? NONE, own(state), call(bounds)),
        doubles,
      };
    }
  }
}

function finite(value: number | undefined): number | undefined {
  if (value === undefined || !Number.isFinite(value)) return undefined;
  return value === 0 ? 0 : value;
}
