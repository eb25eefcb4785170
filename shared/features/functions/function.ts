import type { Samples } from "../samples.ts";

/** A number that a view must give a function in `with`, and its range. */
export interface SettingRule {
  readonly min: number;
  readonly max: number;
}

export type FunctionSettings = Readonly<Record<string, number>>;

interface Named {
  /** What a view calls it. */
  readonly name: string;
  /** All settings that it takes; each must be given. */
  readonly settings?: Readonly<Record<string, SettingRule>>;
}

/** A function of the readings of one input in one window. */
export interface OneInput extends Named {
  readonly kind: "one input";
  evaluate(input: Samples, settings: FunctionSettings): number | undefined;
}

/** A function across two inputs of one window. */
export interface TwoInputs extends Named {
  readonly kind: "two inputs";
  evaluate(first: Samples, second: Samples): number | undefined;
}

/**
 * A function of one input that remembers the device's earlier windows in `doubles` numbers, all 0 at first.
 *
 * `evaluate` sees the state as it was when the window first closed, also for each later revision of the window;
 * `advance` runs once, when the window first closes, so that a revision changes its own window and no other.
 */
export interface Stateful extends Named {
  readonly kind: "stateful";
  readonly doubles: number;
  evaluate(input: Samples, state: Float64Array): number | undefined;
  advance(input: Samples, state: Float64Array): void;
}

/**
 * One function of the library: pure, deterministic to the bit (only + - * / and the square root, which IEEE 754
 * rounds exactly). Undefined says that there is no value; the engine takes NaN and infinities for the same.
 */
export type FeatureFunction = OneInput | TwoInputs | Stateful;
