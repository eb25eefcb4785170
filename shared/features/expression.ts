/** Longest expression, in characters; the view's schema has the same bound. */
export const EXPRESSION_LENGTH_MAX = 500;

/** Most brackets, signs and calls inside each other: what a person can read, and far from the end of the stack. */
export const EXPRESSION_DEPTH_MAX = 32;

const CALLS: ReadonlyMap<string, { readonly min: number; readonly max: number }> = new Map([
  ["min", { min: 2, max: 16 }],
  ["max", { min: 2, max: 16 }],
  ["abs", { min: 1, max: 1 }],
  ["sqrt", { min: 1, max: 1 }],
]);

const COMPARISONS = ["<=", ">=", "==", "!=", "<", ">"] as const;
const SUMS = ["+", "-"] as const;
const PRODUCTS = ["*", "/"] as const;

export type Operator = (typeof COMPARISONS)[number] | (typeof SUMS)[number] | (typeof PRODUCTS)[number];

/** What an expression means; `at` is the place of a name in the text, from 1. */
export type Expression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "feature"; readonly name: string; readonly at: number }
  | { readonly kind: "minus"; readonly of: Expression }
  | {
      readonly kind: "operator";
      readonly operator: Operator;
      readonly left: Expression;
      readonly right: Expression;
      readonly at: number;
    }
  | { readonly kind: "call"; readonly name: string; readonly of: readonly Expression[]; readonly at: number };

/** A text that is no expression; the message says where, in characters from 1. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";
}

interface Token {
  readonly kind: "number" | "name" | "sign" | "end";
  readonly text: string;
  readonly at: number;
}

const TOKEN =
  /\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([a-z][a-z0-9_]*)|(<=|>=|==|!=|[-+*/<>(),]))/y;

function tokensOf(text: string): Token[] {
  if (text.length > EXPRESSION_LENGTH_MAX)
    throw new ExpressionError(
      `has ${text.length} characters; an expression has at most ${EXPRESSION_LENGTH_MAX}`,
    );
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  let from = 0;
  while (from < end) {
    TOKEN.lastIndex = from;
    const match = TOKEN.exec(text);
    if (match === null) {
      const at = from + text.slice(from).search(/\S/);
      throw new ExpressionError(`cannot be read at character ${at + 1}: "${text[at] ?? ""}"`);
    }
    const [, number, name, sign = ""] = match;
    from = TOKEN.lastIndex;
    const found = number ?? name ?? sign;
    const kind = number === undefined ? (name === undefined ? "sign" : "name") : "number";
    tokens.push({ kind, text: found, at: from - found.length + 1 });
  }
  return [...tokens, { kind: "end", text: "", at: end + 1 }];
}

/**
 * Reads `a / (b + 1)`: names of features, numbers, + - * /, the comparisons < <= > >= == !=, brackets, and the calls
 * min, max (2 to 16 arguments), abs and sqrt. * and / bind before + and -, these before a comparison, of which there
 * is one at most without brackets. Nothing is ever run as code.
 *
 * Throws an ExpressionError that names the character.
 */
export function parseExpression(text: string): Expression {
  return new Parser(tokensOf(text)).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expression {
    if (this.#peek().kind === "end") throw new ExpressionError("is empty");
    const expression = this.#comparison();
    const { kind, at, text } = this.#peek();
    if (kind === "end") return expression;
    const comparison = COMPARISONS.find((operator) => operator === text);
    throw new ExpressionError(
      comparison === undefined
        ? `does not go on with "${text}" at character ${at}`
        : `has a second comparison at character ${at}; put the first one in brackets`,
    );
  }

  #comparison(): Expression {
    const left = this.#sum();
    const { at } = this.#peek();
    const operator = this.#takeOneOf(COMPARISONS);
    return operator === undefined ? left : { kind: "operator", operator, left, right: this.#sum(), at };
  }

  #sum(): Expression {
    return this.#chain(SUMS, () => this.#product());
  }

  #product(): Expression {
    return this.#chain(PRODUCTS, () => this.#signed());
  }

  /** Operators of one rank, from left to right. */
  #chain(operators: readonly Operator[], operand: () => Expression): Expression {
    let left = operand();
    for (;;) {
      const { at } = this.#peek();
      const operator = this.#takeOneOf(operators);
      if (operator === undefined) return left;
      left = { kind: "operator", operator, left, right: operand(), at };
    }
  }

  #signed(): Expression {
    if (this.#takeOneOf(["-"]) === undefined) return this.#single();
    return this.#inside(() => ({ kind: "minus", of: this.#signed() }));
  }

  #single(): Expression {
    const { kind, text, at } = this.#take();
    if (kind === "number") return numberAt(text, at);
    if (kind === "name" && this.#peek().text === "(") return this.#call(text, at);
    if (kind === "name") return { kind: "feature", name: text, at };
    if (text === "(") {
      const inner = this.#inside(() => this.#comparison());
      this.#expect(")", `the bracket of character ${at}`);
      return inner;
    }
    throw new ExpressionError(
      kind === "end"
        ? `ends at character ${at - 1}, where a feature, a number or a bracket is missing`
        : `needs a feature, a number or a bracket at character ${at}, not "${text}"`,
    );
  }

  #call(name: string, at: number): Expression {
    const places = CALLS.get(name);
    if (places === undefined)
      throw new ExpressionError(
        `"${name}" at character ${at} cannot be called; there are ${[...CALLS.keys()].join(", ")}`,
      );
    this.#take();
    const of: Expression[] = [];
    do of.push(this.#inside(() => this.#comparison()));
    while (this.#takeOneOf([","]) !== undefined);
    this.#expect(")", `${name} of character ${at}`);
    if (of.length < places.min || of.length > places.max) {
      const wanted = places.max === 1 ? "1 argument" : `${places.min} to ${places.max} arguments`;
      throw new ExpressionError(`${name} at character ${at} takes ${wanted}, not ${of.length}`);
    }
    return { kind: "call", name, of, at };
  }

  #inside<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > EXPRESSION_DEPTH_MAX)
      throw new ExpressionError(
        `goes deeper than ${EXPRESSION_DEPTH_MAX} brackets at character ${this.#peek().at}; make a feature of a part of it`,
      );
    const result = read();
    this.#depth -= 1;
    return result;
  }

  #expect(sign: string, opener: string): void {
    const { kind, text, at } = this.#take();
    if (text === sign) return;
    const found = kind === "end" ? "the end" : `"${text}"`;
    throw new ExpressionError(`needs a "${sign}" for ${opener} at character ${at}, not ${found}`);
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: "end", text: "", at: 1 };
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  #takeOneOf<const T extends string>(signs: readonly T[]): T | undefined {
    const { kind, text } = this.#peek();
    const found = kind === "sign" ? signs.find((sign) => sign === text) : undefined;
    if (found !== undefined) this.#next += 1;
    return found;
  }
}

function numberAt(text: string, at: number): Expression {
  const value = Number(text);
  if (!Number.isFinite(value))
    throw new ExpressionError(`has the number ${text} at character ${at}, which is beyond the doubles`);
  return { kind: "number", value };
}

/** The features that an expression names, each once, with the first place of each. */
export function referencesOf(expression: Expression): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const visit = (part: Expression): void => {
    if (part.kind === "feature" && !found.has(part.name)) found.set(part.name, part.at);
    if (part.kind === "minus") visit(part.of);
    if (part.kind === "operator") {
      visit(part.left);
      visit(part.right);
    }
    if (part.kind === "call") for (const argument of part.of) visit(argument);
  };
  visit(expression);
  return found;
}
