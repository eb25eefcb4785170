import type { Expression, Operator } from "./expression.ts";

type Values = readonly (number | undefined)[];
type Evaluate = (values: Values) => number;

/**
 * An expression ready to run over the features of a view, in their order; `places` says where each stands.
 *
 * Undefined where a feature that it names is, where something is divided by 0 or a root taken of a negative number,
 * and where a step on the way is beyond the largest double: an infinity is never gone on with. A comparison is 1 or 0.
 */
export function compileExpression(
  expression: Expression,
  places: ReadonlyMap<string, number>,
): (values: Values) => number | undefined {
  const evaluate = compile(expression, places);
  return (values) => {
    const value = evaluate(values);
    return Number.isNaN(value) ? undefined : value;
  };
}

/** NaN stands for "no value" inside: all that is done with it gives it again. */
function compile(expression: Expression, places: ReadonlyMap<string, number>): Evaluate {
  switch (expression.kind) {
    case "number": {
      const { value } = expression;
      return () => value;
    }
    case "feature": {
      const place = places.get(expression.name) ?? -1;
      return (values) => values[place] ?? Number.NaN;
    }
    case "minus": {
      const of = compile(expression.of, places);
      return (values) => -of(values);
    }
    case "operator": {
      const left = compile(expression.left, places);
      const right = compile(expression.right, places);
      const apply = OPERATORS[expression.operator];
      return (values) => apply(left(values), right(values));
    }
    case "call": {
      const of = expression.of.map((argument) => compile(argument, places));
      const apply = CALLS.get(expression.name) ?? (() => Number.NaN);
      return (values) => apply(of.map((argument) => argument(values)));
    }
  }
}

type Apply = (left: number, right: number) => number;

const compare =
  (holds: (left: number, right: number) => boolean): Apply =>
  (left, right) =>
    Number.isNaN(left) || Number.isNaN(right) ? Number.NaN : Number(holds(left, right));

const OPERATORS: Readonly<Record<Operator, Apply>> = {
  "+": (left, right) => finite(left + right),
  "-": (left, right) => finite(left - right),
  "*": (left, right) => finite(left * right),
  "/": (left, right) => finite(left / right),
  "<": compare((left, right) => left < right),
  "<=": compare((left, right) => left <= right),
  ">": compare((left, right) => left > right),
  ">=": compare((left, right) => left >= right),
  "==": compare((left, right) => left === right),
  "!=": compare((left, right) => left !== right),
};

const CALLS: ReadonlyMap<string, (values: readonly number[]) => number> = new Map([
  ["min", (values: readonly number[]) => Math.min(...values)],
  ["max", (values: readonly number[]) => Math.max(...values)],
  ["abs", ([value = Number.NaN]: readonly number[]) => Math.abs(value)],
  ["sqrt", ([value = Number.NaN]: readonly number[]) => Math.sqrt(value)],
]);

function finite(value: number): number {
  return Number.isFinite(value) ? value : Number.NaN;
}
