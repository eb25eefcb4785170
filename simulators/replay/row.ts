import { deviceIdSchema } from "@sluice/shared/contract/ids.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { CsvRecord } from "./csv.ts";
import { deviceOfFile } from "./replay-map.ts";
import type { ReplayMap } from "./replay-map.ts";

/** A row that can be published. */
export interface Row {
  readonly device: string;
  readonly measuredAtUs: number;
  /** Metric → value, without those that are missing. */
  readonly values: Readonly<Record<string, number>>;
  /** Label column → its text. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A row that cannot be. */
export interface BadRow {
  readonly file: string;
  readonly line: number;
  /** The column and the value, and what is wrong. */
  readonly problem: string;
}

export type RowReader = (record: CsvRecord, rowIndex: number) => Row | string;

const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;

/**
 * A reader for the records of one file with these columns; it returns a row, or what is wrong with the record.
 *
 * Throws PipelineError "replay.file_refused" where the map needs a column that the file does not have.
 */
export function rowReader(map: ReplayMap, columns: readonly string[], file: string): RowReader {
  const at = (column: string): number => {
    const position = columns.indexOf(column);
    if (position !== -1) return position;
    throw new PipelineError("replay.file_refused", `${file} has no column "${column}"`, {
      hint: `It has ${columns.map((name) => `"${name}"`).join(", ")}.`,
    });
  };
  const metrics = [...map.metrics].map(([column, metric]) => ({ column, metric, position: at(column) }));
  // A run without labels, a healthy one say, is in many a data set.
  const labels = map.labels
    .map((column) => ({ column, position: columns.indexOf(column) }))
    .filter(({ position }) => position !== -1);
  const readTime = timeOf(map, at);
  const readDevice = deviceOf(map, at, file);
  return (record, rowIndex) => {
    const { fields } = record;
    if (fields.length !== columns.length)
      return `it has ${fields.length} fields, and there are ${columns.length} columns`;
    const measuredAtUs = readTime(fields, rowIndex);
    if (typeof measuredAtUs === "string") return measuredAtUs;
    const device = readDevice(fields);
    if (device === undefined) return "the device's name is empty, too long, or has /, + or # in it";
    const values: Record<string, number> = {};
    for (const { column, metric, position } of metrics) {
      const text = fields[position] ?? "";
      if (map.missing.has(text)) continue;
      const value = readNumber(text, map.decimal);
      if (value === undefined) return `column "${column}": "${text.slice(0, 80)}" is not a number`;
      values[metric] = value;
    }
    return { device, measuredAtUs, values, labels: pick(labels, fields) };
  };
}

function timeOf(
  { time }: ReplayMap,
  at: (column: string) => number,
): (fields: readonly string[], rowIndex: number) => number | string {
  if ("startUs" in time) return (_fields, rowIndex) => time.startUs + rowIndex * time.intervalUs;
  const position = at(time.column);
  return (fields) => {
    const text = fields[position] ?? "";
    const us = time.read(text);
    return Number.isNaN(us) ? `column "${time.column}": "${text.slice(0, 80)}" is not ${time.expected}` : us;
  };
}

function deviceOf(
  { device }: ReplayMap,
  at: (column: string) => number,
  file: string,
): (fields: readonly string[]) => string | undefined {
  const checked = (text: string): string | undefined =>
    deviceIdSchema.safeParse(text).success ? text : undefined;
  if ("column" in device) {
    const position = at(device.column);
    return (fields) => checked(fields[position] ?? "");
  }
  const constant = "constant" in device ? device.constant : deviceOfFile(device.file, file);
  const known = checked(constant);
  return () => known;
}

function readNumber(text: string, decimal: "." | ","): number | undefined {
  const plain = decimal === "," ? text.replace(",", ".") : text;
  if (!NUMBER.test(plain) || (decimal === "," && text.includes("."))) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

function pick(
  labels: readonly { readonly column: string; readonly position: number }[],
  fields: readonly string[],
): Record<string, string> {
  return Object.fromEntries(labels.map(({ column, position }) => [column, fields[position] ?? ""]));
}
