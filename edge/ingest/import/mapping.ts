import { parseDecimal } from "@sluice/shared/codec/payload/decimal.ts";
import { showValue } from "@sluice/shared/codec/payload/payload-decoder.ts";
import { eventTimeUs, type TimeUnit } from "@sluice/shared/codec/payload/time.ts";
import { Instant } from "@sluice/shared/contract/instant.ts";
import type { SpoolRow } from "@sluice/shared/contract/spool.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** How the user says that a file's columns are to be read. */
export interface MappingOptions {
  readonly device?: string | undefined;
  readonly deviceColumn?: string | undefined;
  readonly timeColumn?: string | undefined;
  readonly timeUnit: TimeUnit;
  /** For ISO times without a zone: "Z" or "+02:00". */
  readonly utcOffset: string;
  /** Readings get the time at which they are taken in. */
  readonly arrivalTime: boolean;
  readonly metrics?: readonly string[] | undefined;
  readonly ignore: readonly string[];
  readonly metricColumn?: string | undefined;
  readonly valueColumn?: string | undefined;
}

/** Turns a row of the file, one value per column, into a row for the gateway. */
export type RowMapping = (row: readonly unknown[]) => SpoolRow | { readonly malformed: string };

/** Names that a column of event times commonly has. */
const TIME_NAMES = ["time", "timestamp", "ts", "datetime", "date_time", "measured_at", "event_time"];

/** Plans how rows are read. Throws PipelineError "import.mapping" where columns and options do not go together. */
export function planMapping(columns: readonly string[], options: MappingOptions): RowMapping {
  const timeAt = options.arrivalTime ? -1 : timePlace(columns, options);
  const deviceAt =
    options.deviceColumn === undefined ? -1 : placeOf(columns, options.deviceColumn, "--device-column");
  if ((options.device === undefined) === (options.deviceColumn === undefined))
    throw wrong("say either --device or --device-column: which device the rows are of");
  const valuesOf = planValues(columns, options, [timeAt, deviceAt]);
  return (row) => {
    if (row.length !== columns.length) return { malformed: `${row.length} fields, not ${columns.length}` };
    const device = options.device ?? textOf(row[deviceAt]);
    const time = timeAt === -1 ? null : timeOf(row[timeAt], options);
    return [device, time, valuesOf(row)];
  };
}

function planValues(
  columns: readonly string[],
  options: MappingOptions,
  taken: readonly number[],
): (row: readonly unknown[]) => Record<string, unknown> {
  const { metricColumn, valueColumn, metrics, ignore } = options;
  if ((metricColumn === undefined) !== (valueColumn === undefined))
    throw wrong("--metric-column and --value-column go together: one row is one value of one metric");
  if (metricColumn !== undefined && valueColumn !== undefined) {
    const metricAt = placeOf(columns, metricColumn, "--metric-column");
    const valueAt = placeOf(columns, valueColumn, "--value-column");
    return (row) => ({ [textOf(row[metricAt])]: valueOf(row[valueAt]) });
  }
  for (const name of [...(metrics ?? []), ...ignore]) placeOf(columns, name, "--metrics or --ignore");
  const places = columns.flatMap((name, place) =>
    taken.includes(place) || ignore.includes(name) || !(metrics?.includes(name) ?? true)
      ? []
      : [[name, place] as const],
  );
  if (places.length === 0) throw wrong("no column is left that could be a metric");
  return (row) => {
    const values: Record<string, unknown> = {};
    for (const [name, place] of places) {
      const value = valueOf(row[place]);
      if (value !== undefined) values[name] = value;
    }
    return values;
  };
}

function timePlace(columns: readonly string[], { timeColumn }: MappingOptions): number {
  if (timeColumn !== undefined) return placeOf(columns, timeColumn, "--time-column");
  const candidates = columns.filter((name) => TIME_NAMES.includes(name.toLowerCase()));
  if (candidates.length === 1) return columns.indexOf(candidates[0] ?? "");
  if (columns.length === 1)
    throw wrong(`the file has one column, "${columns[0] ?? ""}": is --delimiter what separates its fields?`);
  throw wrong(
    `say --time-column (one of ${columns.join(", ")}), or --arrival-time where the file has no event times`,
  );
}

function placeOf(columns: readonly string[], name: string, option: string): number {
  const place = columns.indexOf(name);
  if (place === -1) throw wrong(`${option} "${name}" is not a column of the file: ${columns.join(", ")}`);
  return place;
}

/** Microseconds, or the text that is no time. */
function timeOf(value: unknown, { timeUnit, utcOffset }: MappingOptions): number | string {
  if (value instanceof Instant) return Number.isNaN(value.us) ? "out of range" : value.us;
  const hasZone = typeof value !== "string" || /(?:[Zz]|[+-]\d\d:?\d\d)$/.test(value);
  const complete = timeUnit !== "iso" || hasZone ? value : `${value}${utcOffset}`;
  const us = eventTimeUs(complete, timeUnit);
  return Number.isNaN(us) ? textOf(value).slice(0, 64) : us;
}

/** A number where the text is one; undefined where there is none; all else as it is, for the contract to judge. */
function valueOf(value: unknown): unknown {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "boolean") return Number(value);
  if (value instanceof Instant) return value.us;
  return typeof value === "string" ? parseDecimal(value.trim()) : value;
}

/** A name or a time for a person, whatever the file holds there. */
function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : showValue(value);
}

const wrong = (message: string): PipelineError =>
  new PipelineError("import.mapping", message, { hint: "See sluice-gateway import --help." });
