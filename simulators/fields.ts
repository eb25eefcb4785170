import { parseIsoUs } from "@sluice/shared/runtime/clock.ts";

export interface NumberRule {
  readonly min?: number;
  readonly max?: number;
  readonly whole?: boolean;
}

/**
 * Reads the fields of an object from outside and collects every mistake, each as one line with path and value.
 *
 * A field that is missing or wrong reads as "", NaN or an empty list: look at `mistakes` before using anything.
 */
export class Fields {
  readonly mistakes: string[];
  readonly #path: string;
  readonly #members: ReadonlyMap<string, unknown>;
  readonly #asked = new Set<string>();

  constructor(value: unknown, path = "", mistakes: string[] = []) {
    this.mistakes = mistakes;
    this.#path = path;
    const plain = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!plain) mistakes.push(`${path === "" ? "the whole" : path}: ${show(value)}: must be an object`);
    this.#members = new Map(plain ? Object.entries(value) : []);
  }

  has(key: string): boolean {
    this.#asked.add(key);
    return this.#members.get(key) !== undefined;
  }

  raw(key: string): unknown {
    this.#asked.add(key);
    return this.#members.get(key);
  }

  keys(): readonly string[] {
    return [...this.#members.keys()];
  }

  text(key: string, rule: { pattern?: RegExp; expected?: string } = {}): string {
    const value = this.raw(key);
    if (typeof value === "string" && (rule.pattern?.test(value) ?? value !== "")) return value;
    this.mistake(key, `must be ${rule.expected ?? "a text that is not empty"}`);
    return "";
  }

  oneOf<T extends string>(key: string, choices: readonly T[]): T {
    const value = this.raw(key);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.mistake(key, `must be one of ${choices.join(", ")}`);
    // What is returned after a mistake is never used.
    return found ?? choices[0] ?? raise("a choice without choices");
  }

  number(key: string, { min = -Infinity, max = Infinity, whole = false }: NumberRule = {}): number {
    const value = this.raw(key);
    const fits = typeof value === "number" && value >= min && value <= max && Number.isFinite(value);
    if (fits && (!whole || Number.isInteger(value))) return value;
    const kind = whole ? "a whole number" : "a number";
    const range = Number.isFinite(max) ? ` from ${min} to ${max}` : "";
    this.mistake(key, `must be ${kind}${range}`);
    return Number.NaN;
  }

  flag(key: string): boolean {
    const value = this.raw(key);
    if (typeof value !== "boolean") this.mistake(key, "must be true or false");
    return value === true;
  }

  /** Microseconds since the epoch of an ISO 8601 time. */
  isoTimeUs(key: string): number {
    const value = this.raw(key);
    const us = typeof value === "string" ? parseIsoUs(value) : Number.NaN;
    if (Number.isNaN(us)) this.mistake(key, "must be an ISO 8601 time such as 2024-01-01T00:00:00Z");
    return us;
  }

  object(key: string): Fields {
    return new Fields(this.raw(key), this.#at(key), this.mistakes);
  }

  list(key: string): readonly unknown[] {
    const value = this.raw(key);
    if (Array.isArray(value)) return value;
    this.mistake(key, "must be a list");
    return [];
  }

  objects(key: string): readonly Fields[] {
    return this.list(key).map((item, i) => new Fields(item, `${this.#at(key)}.${i}`, this.mistakes));
  }

  mistake(key: string, problem: string): void {
    const value = this.#members.get(key);
    this.mistakes.push(`${this.#at(key)}: ${value === undefined ? "missing" : show(value)}: ${problem}`);
  }

  /** Every field that nobody asked for is a mistake: it would otherwise be ignored in silence. */
  end(): void {
    for (const key of this.#members.keys())
      if (!this.#asked.has(key)) this.mistakes.push(`${this.#at(key)}: no such field`);
  }

  #at(key: string): string {
    return this.#path === "" ? key : `${this.#path}.${key}`;
  }
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "missing";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function raise(problem: string): never {
  throw new Error(problem);
}
