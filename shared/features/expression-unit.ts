import type { Expression } from "./expression.ts";
import { DIMENSION_ONE, sameUnit, timesUnit, unitText, type Unit } from "./unit.ts";

/** A unit, or that it is not known, or that it is a number's, which fits to whatever it is added to. */
type Known = Unit | "unknown" | "number";

/** What follows for units from an expression. */
export interface ExpressionUnit {
  /** Undefined where a feature has no known unit, and for an expression of numbers only. */
  readonly unit: Unit | undefined;
  /** Where units that differ are added or compared. */
  readonly clashes: readonly string[];
}

/**
 * The unit of an expression from those of the features that it names (undefined where not known): products multiply,
 * roots halve, sums, min, max and comparisons need one unit on both sides, comparisons are of dimension one.
 *
 * A number has the unit of what it is added to or compared with, and dimension one in a product: `g + 1` is in g.
 */
export function unitOfExpression(
  expression: Expression,
  unitOf: (feature: string) => Unit | undefined,
): ExpressionUnit {
  const clashes: string[] = [];
  const unit = derive(expression, unitOf, clashes);
  return { unit: typeof unit === "string" ? undefined : unit, clashes };
}

function derive(
  expression: Expression,
  unitOf: (feature: string) => Unit | undefined,
  clashes: string[],
): Known {
  const inner = (part: Expression): Known => derive(part, unitOf, clashes);
  switch (expression.kind) {
    case "number":
      return "number";
    case "feature":
      return unitOf(expression.name) ?? "unknown";
    case "minus":
      return inner(expression.of);
    case "call": {
      const units = expression.of.map(inner);
      const [first = "number"] = units;
      if (expression.name === "sqrt")
        return typeof first === "string" ? first : timesUnit(DIMENSION_ONE, first, 0.5);
      return units.reduce((left, right) =>
        alike(left, right, { clashes, what: expression.name, at: expression.at }),
      );
    }
    case "operator": {
      const { operator, at } = expression;
      const [left, right] = [inner(expression.left), inner(expression.right)];
      if (operator === "*" || operator === "/") return product(left, right, operator === "*" ? 1 : -1);
      const unit = alike(left, right, { clashes, what: `"${operator}"`, at });
      return operator === "+" || operator === "-" ? unit : DIMENSION_ONE;
    }
  }
}

function product(left: Known, right: Known, power: number): Known {
  if (left === "unknown" || right === "unknown") return "unknown";
  if (left === "number" && right === "number") return "number";
  return timesUnit(
    left === "number" ? DIMENSION_ONE : left,
    right === "number" ? DIMENSION_ONE : right,
    power,
  );
}

interface Place {
  readonly clashes: string[];
  readonly what: string;
  readonly at: number;
}

function alike(left: Known, right: Known, { clashes, what, at }: Place): Known {
  if (left === "number") return right;
  if (right === "number") return left;
  if (left === "unknown") return right;
  if (right === "unknown" || sameUnit(left, right)) return left;
  clashes.push(
    `${what} at character ${at} has "${unitText(left)}" on one side and "${unitText(right)}" on the other`,
  );
  return "unknown";
}
