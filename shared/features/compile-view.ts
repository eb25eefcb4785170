import type { FeatureView, FunctionFeature } from "../contract/feature-view.ts";
import { checkView, ViewError } from "./check-view.ts";
import type { FunctionSettings } from "./functions/function.ts";
import { FUNCTIONS } from "./functions/registry.ts";
import { Samples } from "./samples.ts";

/** A view's window in microseconds; a tumbling window hops by its size. */
export interface WindowTimes {
  readonly sizeUs: number;
  readonly hopUs: number;
  readonly allowedLatenessUs: number;
  readonly correctionUs: number;
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
  evaluate(inputs: readonly Samples[], state: Float64Array): (number | undefined)[];
  /** Takes a window that has just closed into the state. */
  advance(inputs: readonly Samples[], state: Float64Array): void;
}

type Evaluate = (inputs: readonly Samples[], state: Float64Array) => number | undefined;
type Advance = (inputs: readonly Samples[], state: Float64Array) => void;

/** Throws a ViewError where `checkView` finds a mistake. */
export function compileView(view: FeatureView): CompiledView {
  const issues = checkView(view);
  if (issues.length > 0) throw new ViewError(view.name, issues);
  const metrics = [...new Set(Object.values(view.inputs).map((input) => input.metric))];
  const evaluates: Evaluate[] = [];
  const advances: Advance[] = [];
  let stateDoubles = 0;
  for (const feature of view.features) {
    if (!("fn" in feature)) continue; // checkView has refused it.
    const compiled = compileFeature(view, feature, metrics, stateDoubles);
    evaluates.push(compiled.evaluate);
    if (compiled.advance !== undefined) advances.push(compiled.advance);
    stateDoubles += compiled.doubles;
  }
  return {
    view,
    window: windowTimes(view),
    metrics,
    stateDoubles,
    evaluate: (inputs, state) => evaluates.map((evaluate) => finite(evaluate(inputs, state))),
    advance(inputs, state) {
      for (const advance of advances) advance(inputs, state);
    },
  };
}

function windowTimes({ window }: FeatureView): WindowTimes {
  const sizeMs = window.kind === "count" ? 0 : window.sizeMs; // checkView has refused the others.
  const hopMs = window.kind === "hopping" ? window.hopMs : sizeMs;
  return {
    sizeUs: sizeMs * 1_000,
    hopUs: hopMs * 1_000,
    allowedLatenessUs: window.allowedLatenessMs * 1_000,
    correctionUs: window.correctionMs * 1_000,
  };
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
  const settings = numbersOf(feature);
  if (fn.kind === "one input")
    return { evaluate: (inputs) => fn.evaluate(inputs[first] ?? NONE, settings), doubles: 0 };
  if (fn.kind === "two inputs")
    return { evaluate: (inputs) => fn.evaluate(inputs[first] ?? NONE, inputs[second] ?? NONE), doubles: 0 };
  const own = (state: Float64Array): Float64Array => state.subarray(at, at + fn.doubles);
  return {
    evaluate: (inputs, state) => fn.evaluate(inputs[first] ?? NONE, own(state)),
    advance: (inputs, state) => fn.advance(inputs[first] ?? NONE, own(state)),
    doubles: fn.doubles,
  };
}

function numbersOf(feature: FunctionFeature): FunctionSettings {
  const given = Object.entries(feature.with ?? {});
  return Object.fromEntries(given.filter((entry): entry is [string, number] => typeof entry[1] === "number"));
}

function finite(value: number | undefined): number | undefined {
  if (value === undefined || !Number.isFinite(value)) return undefined;
  return value === 0 ? 0 : value;
}
