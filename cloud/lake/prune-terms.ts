import type { ColumnType } from "@sluice/shared/contract/table.ts";

/** A condition that every row of a scan must meet: the column's value is not below and not above these. */
export interface Term {
  readonly column: string;
  /** The least that a value may be; undefined: any. Times are microseconds since the epoch, days are 2026-11-21. */
  readonly min: string | number | undefined;
  readonly max: string | number | undefined;
}

export type TermType = ColumnType | "date";

/** Numbers that doubles hold exactly; conditions beyond them say nothing here. */
const EXACT_MAX = Number.MAX_SAFE_INTEGER;

/**
 * The conditions in what the engine's plan says of a scan's filters: lines of conditions joined by AND.
 *
 * What is not understood is passed over, so the terms are always implied by the filters and may be fewer.
 */
export function parseFilters(text: string, types: ReadonlyMap<string, TermType>): readonly Term[] {
  return splitOutside(text, "\n").flatMap((filter) => {
    const condition = filter.replace(/^optional: /, "");
    if (splitOutside(condition, " OR ").length > 1) return [];
    return splitOutside(condition, " AND ").flatMap((term) => parseTerm(term, types) ?? []);
  });
}

function parseTerm(term: string, types: ReadonlyMap<string, TermType>): Term | undefined {
  const [, column = "", operator = "", literal = ""] =
    /^([a-z_]+)(=|>=|<=|>|<| IN )(.+)$/s.exec(term.trim()) ?? [];
  const type = types.get(column);
  if (type === undefined) return undefined;
  if (operator === " IN ") return parseList(column, literal, type);
  const value = parseLiteral(literal, type);
  if (value === undefined) return undefined;
  const step = typeof value === "number" && type !== "double" ? 1 : 0;
  const beside = (by: number): string | number => (typeof value === "number" ? value + by : value);
  const min = operator.startsWith("<") ? undefined : beside(operator === ">" ? step : 0);
  const max = operator.startsWith(">") ? undefined : beside(operator === "<" ? -step : 0);
  return { column, min, max };
}

/** A list is as good as its least and its largest value. */
function parseList(column: string, literal: string, type: TermType): Term | undefined {
  const [, inside] = /^\((.+)\)$/s.exec(literal) ?? [];
  if (inside === undefined) return undefined;
  const values = splitOutside(inside, ", ").map((item) => parseLiteral(item, type));
  let [min, max] = [values[0], values[0]];
  for (const value of values) {
    if (value === undefined || min === undefined || max === undefined) return undefined;
    if (isBefore(value, min)) min = value;
    if (isBefore(max, value)) max = value;
  }
  return { column, min, max };
}

function parseLiteral(literal: string, type: TermType): string | number | undefined {
  switch (type) {
    case "string":
      return textOf(literal);
    case "date":
      return /^'(\d{4}-\d\d-\d\d)'::DATE$/.exec(literal)?.[1];
    case "timestamp":
      return timeOf(/^'([^']*)'::TIMESTAMP WITH TIME ZONE$/.exec(literal)?.[1]);
    case "integer":
    case "long":
    case "double":
      return /^-?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(literal) ? exact(Number(literal)) : undefined;
    case "boolean":
    case "binary":
    case "array<double>":
    case "array<string>":
      return undefined;
  }
}

const textOf = (literal: string): string | undefined =>
  /^'((?:[^']|'')*)'$/s.exec(literal)?.[1]?.replaceAll("''", "'");

/** 2026-11-21 10:00:00.123456+00 in microseconds. */
function timeOf(text = ""): number | undefined {
  const [, day, time, fraction = ""] =
    /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/.exec(text) ?? [];
  if (day === undefined || time === undefined) return undefined;
  return exact(Date.parse(`${day}T${time}Z`) * 1_000 + Number(fraction.padEnd(6, "0")));
}

const exact = (value: number): number | undefined => (Math.abs(value) <= EXACT_MAX ? value : undefined);

/** Whether a value comes before another in the engine's order: texts by their UTF-8 bytes. */
export function isBefore(a: string | number, b: string | number): boolean {
  if (typeof a === "number" || typeof b === "number") return Number(a) < Number(b);
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}

/** Splits a text where the separator stands outside quotes and brackets. */
function splitOutside(text: string, separator: string): readonly string[] {
  const parts: string[] = [];
  let [from, depth, quote] = [0, 0, ""];
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    // A doubled quote closes and opens again at once.
    if (quote !== "") quote = char === quote ? "" : quote;
    else if (char === "'" || char === '"') quote = char;
    else if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (depth === 0 && text.startsWith(separator, i)) {
      parts.push(text.slice(from, i));
      i += separator.length - 1;
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}
