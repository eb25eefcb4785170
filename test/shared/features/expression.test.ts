import { compileExpression } from "@sluice/shared/features/expression-value.ts";
import {
  EXPRESSION_DEPTH_MAX,
  EXPRESSION_LENGTH_MAX,
  ExpressionError,
  parseExpression,
  referencesOf,
} from "@sluice/shared/features/expression.ts";
import { readExpression } from "@sluice/shared/features/feature-order.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { nearly } from "./nearly.ts";

const FEATURES = { a: 6, b: 2, zero: 0, huge: 1.7e308, none: undefined, min: 9 };

function valueOf(text: string): number | undefined {
  const places = new Map(Object.keys(FEATURES).map((name, place) => [name, place]));
  return compileExpression(parseExpression(text), places)(Object.values(FEATURES));
}

test.each([
  ["a / (b + 1)", 2],
  ["a - b - 1", 3],
  ["a / b / 3", 1],
  ["a + b * 2", 10],
  ["-a + b", -4],
  ["a * -b", -12],
  ["--a", 6],
  ["-(a - b)", -4],
  ["1.5e1 + .5", 15.5],
  ["2.", 2],
  ["min(a, b, 4)", 2],
  ["max(a, b) + min(a, b)", 8],
  ["abs(b - a)", 4],
  ["sqrt(a + 3)", 3],
  ["min + 1", 10],
  ["a > b", 1],
  ["a + b <= 7", 0],
  ["(a >= 6) * 10 + (b != 2)", 10],
  ["a == 6", 1],
  ["a < b", 0],
  ["\ta\n+  b ", 8],
  ["a / zero", undefined],
  ["zero / zero", undefined],
  ["sqrt(-a)", undefined],
  ["huge * 2", undefined],
  ["1 / (huge * 2)", undefined],
  ["1 / (huge + huge)", undefined],
  ["1 / (-huge - huge)", undefined],
  ["none + 1", undefined],
  ["none > 0", undefined],
  ["max(a, none)", undefined],
  ["none * 0", undefined],
  ["-none", undefined],
])("%s is %d", (text, expected) => {
  expect(valueOf(text)).toEqual(nearly(expected, 12));
});

test.each([
  ["  ", "is empty"],
  ["a +", "ends at character 3, where a feature, a number or a bracket is missing"],
  ["a + * b", 'needs a feature, a number or a bracket at character 5, not "*"'],
  ["a b", 'does not go on with "b" at character 3'],
  ["(a + b", 'needs a ")" for the bracket of character 1 at character 7, not the end'],
  ["a + b)", 'does not go on with ")" at character 6'],
  ["a % b", 'cannot be read at character 3: "%"'],
  ["a ** b", 'needs a feature, a number or a bracket at character 4, not "*"'],
  ["A + 1", 'cannot be read at character 1: "A"'],
  ["a.constructor", 'cannot be read at character 2: "."'],
  ["`a`", 'cannot be read at character 1: "`"'],
  ["exp(a)", '"exp" at character 1 cannot be called; there are min, max, abs, sqrt'],
  ["constructor(a)", '"constructor" at character 1 cannot be called; there are min, max, abs, sqrt'],
  ["abs(a, b)", "abs at character 1 takes 1 argument, not 2"],
  ["min(a)", "min at character 1 takes 2 to 16 arguments, not 1"],
  ["1 + min(a; b)", 'cannot be read at character 10: ";"'],
  ["min(a, b", 'needs a ")" for min of character 1 at character 9, not the end'],
  ["a < b < 3", "has a second comparison at character 7; put the first one in brackets"],
  ["1e999", "has the number 1e999 at character 1, which is beyond the doubles"],
  ["a = b", 'cannot be read at character 3: "="'],
])("%j is refused: it %s", (text, message) => {
  expect(() => parseExpression(text)).toThrow(new ExpressionError(message));
});

test("what is too long or too deep is refused, by characters and by brackets", () => {
  const deep = (depth: number, open: string, close: string): string =>
    `${open.repeat(depth)}a${close.repeat(depth)}`;
  for (const [open, close] of [
    ["(", ")"],
    ["-", ""],
    ["abs(", ")"],
  ] as const) {
    expect(() => parseExpression(deep(EXPRESSION_DEPTH_MAX, open, close))).not.toThrow();
    expect(() => parseExpression(deep(EXPRESSION_DEPTH_MAX + 1, open, close))).toThrow(
      /goes deeper than 32 brackets/,
    );
  }
  const long = "a+".repeat(EXPRESSION_LENGTH_MAX / 2 - 1);
  expect(() => parseExpression(`${long}a `)).not.toThrow();
  expect(() => parseExpression(`${long}a  `)).toThrow(/has 501 characters; an expression has at most 500/);
});

test("brackets one after another are not deep", () => {
  expect(valueOf(Array.from({ length: 60 }, () => "(a)").join("+"))).toBe(360);
});

test("an expression names its features, each with its first place", () => {
  expect([...referencesOf(parseExpression("a / (min(b, a) + -c) > b"))]).toEqual([
    ["a", 1],
    ["b", 10],
    ["c", 19],
  ]);
});

test("any text is either an expression or refused with a reason", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc
      .array(
        fc.constantFrom(
          "a",
          "b",
          "1",
          "2.5",
          "(",
          ")",
          "+",
          "-",
          "*",
          "/",
          "<",
          "==",
          ",",
          "min",
          "sqrt",
          " ",
        ),
        { maxLength: 20 },
      )
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (text) => {
      const read = readExpression(text); // Throws whatever is no ExpressionError.
      expect(typeof read === "string" ? read : "in order").not.toMatch(/undefined|^$/);
    }),
    { numRuns: 2_000 },
  );
});

/** An expression as text with every bracket written, and what it is worth by the language itself. */
const tree = fc.letrec<{ node: { text: string; value: number } }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom({ text: "a", value: 6 }, { text: "b", value: 2 }, { text: "3.5", value: 3.5 }),
    fc
      .tuple(tie("node"), fc.constantFrom("+", "-", "*", "/", "<", ">="), tie("node"))
      .map(([left, operator, right]) => ({
        text: `(${left.text} ${operator} ${right.text})`,
        value: apply(operator, left.value, right.value),
      })),
    tie("node").map(({ text, value }) => ({ text: `-${text}`, value: -value })),
    fc.tuple(tie("node"), tie("node")).map(([left, right]) => ({
      text: `max(${left.text}, ${right.text})`,
      value: Math.max(left.value, right.value),
    })),
  ),
})).node;

function apply(operator: string, left: number, right: number): number {
  if (Number.isNaN(left) || Number.isNaN(right)) return Number.NaN;
  if (operator === "/") return right === 0 ? Number.NaN : left / right;
  if (operator === "<" || operator === ">=") return Number(operator === "<" ? left < right : left >= right);
  return operator === "+" ? left + right : operator === "-" ? left - right : left * right;
}

test("an expression is worth what it says, to the bit", () => {
  fc.assert(
    fc.property(tree, ({ text, value }) => {
      fc.pre(text.length <= EXPRESSION_LENGTH_MAX);
      expect(valueOf(text)).toEqual(Number.isNaN(value) ? undefined : value);
    }),
    { numRuns: 1_000 },
  );
});
