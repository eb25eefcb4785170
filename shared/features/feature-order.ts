import type { Feature } from "../contract/feature-view.ts";
import { ExpressionError, parseExpression, referencesOf, type Expression } from "./expression.ts";

/** In which order the features of a view can be computed. */
export interface FeatureOrder {
  /** Places of all features, each after those that it refers to unless they refer to each other. */
  readonly order: readonly number[];
  /** Each circle of expressions once, as places; each refers to the next one and the last to the first. */
  readonly circles: readonly (readonly number[])[];
}

/** An expression, or what is wrong with its text. */
export function readExpression(text: string): Expression | string {
  try {
    return parseExpression(text);
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
}

/** Sorts features by what their expressions refer to: depth first, in the order of the view. */
export function orderFeatures(features: readonly Feature[]): FeatureOrder {
  const places = new Map(features.map(({ name }, place) => [name, place]));
  const references = features.map((feature) => {
    const expression = "expr" in feature ? readExpression(feature.expr) : undefined;
    if (expression === undefined || typeof expression === "string") return [];
    return [...referencesOf(expression).keys()].flatMap((name) => places.get(name) ?? []);
  });
  const order: number[] = [];
  const circles: number[][] = [];
  const done = new Set<number>();
  const path: number[] = [];
  // As deep as there are features: FEATURES_MAX bounds it.
  const visit = (place: number): void => {
    if (done.has(place)) return;
    const since = path.indexOf(place);
    if (since !== -1) {
      circles.push(path.slice(since));
      return;
    }
    path.push(place);
    for (const next of references[place] ?? []) visit(next);
    path.pop();
    done.add(place);
    order.push(place);
  };
  for (const place of features.keys()) visit(place);
  return { order, circles };
}
