import type { Samples } from "../samples.ts";

/** A number that a view gives a function in `with`, and its range, ends included. */
export interface NumberSetting {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
  /** What holds where the view says nothing; without it, and unless `optional`, the view must say it. */
  readonly default?: number;
  readonly optional?: boolean;
}

/** A number of any size. */
export const ANY_NUMBER: NumberSetting = { min: -Number.MAX_VALUE, max: Number.MAX_VALUE };

/** A text that a view gives a function in `with`, or, by the name `from`, as the feature's `from`. */
export interface TextSetting {
  /** Why the text cannot be taken; undefined where it can. */
  readonly refuse: (text: string) => string | undefined;
  /** What may be given, for the documents. */
  readonly says: string;
  readonly default?: string;
  readonly optional?: boolean;
}

export type SettingRule = NumberSetting | TextSetting;

/** What a view gives a function, with the defaults in place; a setting that is optional can be absent. */
export type FunctionSettings = Readonly<Record<string, number | string>>;

/** A text out of a few. */
export function oneOf(texts: readonly string[], defaultText?: string): TextSetting {
  const says = texts.join(", ");
  return {
    refuse: (text) => (texts.includes(text) ? undefined : `is not one of ${says}`),
    says,
    ...(defaultText === undefined ? {} : { default: defaultText }),
  };
}

/** What a function sees beside readings and state. */
export interface Call {
  readonly settings: FunctionSettings;
  /** The window's bounds, half-open. */
  readonly startUs: number;
  readonly endUs: number;
}

interface Described {
  /** What a view calls it. */
  readonly name: string;
  /** One sentence for the documents: what it is, and where it has no value. */
  readonly summary: string;
  /** How its unit follows from those of its inputs, which are called `input` and `other`: `input^2/s`. */
  readonly unit: string;
  /** All settings that it takes. */
  readonly settings?: Readonly<Record<string, SettingRule>>;
  /** What is wrong with settings that are each in range, but not together. */
  readonly refuse?: (settings: FunctionSettings) => string | undefined;
}

/** A function of the window's time alone: the calendar. */
export interface NoInput extends Described {
  readonly kind: "no input";
  evaluate(call: Call): number | undefined;
}

/** A function of the readings of one input in one window. */
export interface OneInput extends Described {
  readonly kind: "one input";
  evaluate(input: Samples, call: Call): number | undefined;
}

/** A function across two inputs of one window. */
export interface TwoInputs extends Described {
  readonly kind: "two inputs";
  /** Its inputs must have one unit. */
  readonly alike?: boolean;
  evaluate(first: Samples, second: Samples, call: Call): number | undefined;
}

/**
 * A function that remembers the device's earlier windows in `doubles` numbers, all 0 at first.
 *
 * `evaluate` sees the state as it was when the window first closed, also for each later revision of the window;
 * `advance` runs once, when the window first closes, so that a revision changes its own window and no other. A window
 * counts as closed when it has a reading of any of the view's inputs; `input` may then still be empty, and of a
 * function without an input it always is. The state must stay finite, or NaN where that says "none".
 */
export interface Stateful extends Described {
  readonly kind: "stateful";
  readonly inputs: 0 | 1;
  doubles(settings: FunctionSettings): number;
  evaluate(input: Samples, state: Float64Array, call: Call): number | undefined;
  advance(input: Samples, state: Float64Array, call: Call): void;
}

/**
 * One function of the library: pure, deterministic to the bit (only + - * / and the square root, which IEEE 754
 * rounds exactly). Undefined says that there is no value; the engine takes NaN and infinities for the same.
 */
export type FeatureFunction = NoInput | OneInput | TwoInputs | Stateful;

/** How many inputs a function takes. */
export function inputsOf(fn: FeatureFunction): 0 | 1 | 2 {
  if (fn.kind === "stateful") return fn.inputs;
  return fn.kind === "no input" ? 0 : fn.kind === "one input" ? 1 : 2;
}

/** A setting that the rules of the function demand to be a number; NaN where an optional one is left out. */
export function numberOf(settings: FunctionSettings, name: string): number {
  const value = settings[name];
  return typeof value === "number" ? value : Number.NaN;
}
