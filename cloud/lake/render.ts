import type { SqlResult } from "./sql.ts";

export type ResultFormat = "table" | "csv" | "json";

/** A query's answer as text, without a line feed at the end. Pure. */
export function renderResult(result: SqlResult, format: ResultFormat): string {
  switch (format) {
    case "table":
      return renderTable(result);
    case "csv":
      return renderCsv(result);
    case "json":
      return renderJson(result);
  }
}

/** Widest column of a table, in characters; longer values are cut and end in "…". */
const WIDTH_MAX = 60;

function renderTable({ columns, rows }: SqlResult): string {
  const cells = rows.map((row) => row.map((value) => cut(toText(value))));
  const names = columns.map(({ name }) => cut(name));
  const widths = names.map((name, i) =>
    cells.reduce((width, row) => Math.max(width, lengthOf(row[i] ?? "")), lengthOf(name)),
  );
  const right = columns.map((_, i) => rows.length > 0 && rows.every((row) => isNumeric(row[i])));
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => pad(text, widths[i] ?? 0, right[i] === true))
      .join("  ")
      .trimEnd();
  const count = rows.length === 1 ? "1 row" : `${rows.length} rows`;
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [line(names), rule, ...cells.map(line), `(${count})`].join("\n");
}

const isNumeric = (value: unknown): boolean => value === undefined || typeof value === "number";

/** Code points, not UTF-16 units. */
const lengthOf = (text: string): number => Array.from(text).length;

function pad(text: string, width: number, right: boolean): string {
  const fill = " ".repeat(Math.max(0, width - lengthOf(text)));
  return right ? fill + text : text + fill;
}

function cut(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters would break the lines or move a terminal's cursor
  const plain = text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "·");
  return lengthOf(plain) <= WIDTH_MAX
    ? plain
    : `${Array.from(plain)
        .slice(0, WIDTH_MAX - 1)
        .join("")}…`;
}

/** RFC 4180 with line feeds; NULL is an empty field, an empty string is quoted. */
function renderCsv({ columns, rows }: SqlResult): string {
  const field = (value: unknown): string => {
    if (value === undefined) return "";
    const text = toText(value);
    return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns.map(({ name }) => name), ...rows].map((row) => row.map(field).join(",")).join("\n");
}

/** An array of one object per row. NULL is null; numbers that JSON cannot say are strings. */
function renderJson({ columns, rows }: SqlResult): string {
  const names = uniqueNames(columns.map(({ name }) => name));
  const lines = rows.map((row) => {
    const members = names.map((name, i) => `${JSON.stringify(name)}:${toJson(row[i])}`);
    return `{${members.join(",")}}`;
  });
  return lines.length === 0 ? "[]" : `[\n${lines.join(",\n")}\n]`;
}

/** Later columns of the same name get a number: an object holds each name once. */
function uniqueNames(names: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let count = 2; taken.has(unique); count++) unique = `${name}_${count}`;
    taken.add(unique);
    return unique;
  });
}

const toJson = (value: unknown): string => JSON.stringify(value, forJson) ?? "null";

const forJson = (_key: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value;

function toText(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  return typeof value === "number" ? String(value) : toJson(value);
}
