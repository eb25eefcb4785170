import { deviceIdSchema, metricNameSchema } from "@sluice/shared/contract/ids.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { basename, dirname, extname } from "node:path";
import { parse as parseYaml } from "yaml";
import { Fields } from "../fields.ts";
import { timeReader } from "./time-format.ts";
import type { TimeReader } from "./time-format.ts";

/** Where a row's event time comes from: a column, or the row's number in its recording. */
export type TimeSource =
  | { readonly column: string; readonly read: TimeReader; readonly expected: string }
  | { readonly startUs: number; readonly intervalUs: number };

/** Where a row's device comes from. A file's template may name {name}, the file without its ending, and {folder}. */
export type DeviceSource =
  { readonly constant: string } | { readonly column: string } | { readonly file: string };

/** How a CSV file becomes messages. */
export interface ReplayMap {
  readonly delimiter: string;
  /** The first line names the columns. */
  readonly header: boolean;
  /** The columns' names where the file names none, or not all. */
  readonly columns: readonly string[] | undefined;
  readonly decimal: "." | ",";
  /** Texts that mean that there is no value. */
  readonly missing: ReadonlySet<string>;
  readonly time: TimeSource;
  /** Column → metric, in the order of the messages' fields. */
  readonly metrics: ReadonlyMap<string, string>;
  readonly device: DeviceSource;
  /** The topic, with {device} in it. */
  readonly topic: string;
  /** The message's field for the time, and its unit. */
  readonly timeField: string;
  readonly timeUnit: "ms" | "us";
  /** Columns that are the truth about the row: never published. A file need not have them. */
  readonly labels: readonly string[];
}

/**
 * Reads a map from YAML.
 *
 * Throws PipelineError "replay.map_refused" that lists every mistake with its path and value.
 */
export function parseReplayMap(yaml: string, where: string): ReplayMap {
  let input: unknown;
  try {
    input = parseYaml(yaml);
  } catch (cause) {
    throw new PipelineError("replay.map_refused", `${where} is not YAML`, { cause });
  }
  const fields = new Fields(input);
  const map: ReplayMap = {
    delimiter: fields.has("delimiter")
      ? fields.text("delimiter", { pattern: /^[^"\r\n]$/, expected: "one character, not a quote" })
      : ",",
    header: fields.has("header") ? fields.flag("header") : true,
    columns: fields.has("columns") ? texts(fields, "columns") : undefined,
    decimal: fields.has("decimal") ? fields.oneOf("decimal", [".", ","]) : ".",
    missing: new Set(fields.has("missing") ? texts(fields, "missing", /^/) : [""]),
    time: readTime(fields.object("time")),
    metrics: readMetrics(fields),
    device: readDevice(fields.object("device")),
    topic: fields.text("topic", {
      pattern: /^[^+#]*\{device\}[^+#]*$/,
      expected: "a topic with {device} in it and without + and #",
    }),
    timeField: fields.has("timeField") ? fields.text("timeField") : "ts",
    timeUnit: fields.has("timeUnit") ? fields.oneOf("timeUnit", ["ms", "us"]) : "ms",
    labels: fields.has("labels") ? texts(fields, "labels") : [],
  };
  checkTogether(map, fields);
  fields.end();
  if (fields.mistakes.length === 0) return map;
  throw new PipelineError("replay.map_refused", `${where}:\n  ${fields.mistakes.join("\n  ")}\n`, {
    hint: "See the maps in simulators/replay/maps.",
  });
}

function checkTogether(map: ReplayMap, fields: Fields): void {
  if (!map.header && map.columns === undefined)
    fields.mistake("columns", "must name the columns where the file has no header");
  for (const label of map.labels)
    if (map.metrics.has(label)) fields.mistake("labels", `"${label}" is published as a metric too`);
  if (new Set(map.metrics.values()).size < map.metrics.size)
    fields.mistake("metrics", "has one metric twice");
  if ([...map.metrics.values()].includes(map.timeField))
    fields.mistake("timeField", "is also the name of a metric");
}

function texts(fields: Fields, key: string, pattern = /./): readonly string[] {
  return fields.list(key).map((item) => {
    if (typeof item === "string" && pattern.test(item)) return item;
    fields.mistake(key, "must be a list of texts");
    return "";
  });
}

function readTime(fields: Fields): TimeSource {
  if (fields.has("start")) {
    const source = {
      startUs: fields.isoTimeUs("start"),
      intervalUs: Math.round(fields.number("intervalS", { min: 1e-6, max: 31_536_000 }) * 1e6),
    };
    fields.end();
    return source;
  }
  const column = fields.text("column");
  const format = fields.text("format");
  const zone = fields.has("zone") ? fields.text("zone") : "UTC";
  const read = timeReader(format, zone);
  if (read === undefined && format !== "")
    fields.mistake(
      "format",
      `must be iso, unix_s, unix_ms, unix_us, or a pattern such as YYYY-MM-DD HH:mm:ss; zone (${zone}) must be UTC or an offset such as +01:00`,
    );
  fields.end();
  return { column, read: read ?? (() => Number.NaN), expected: `a time as ${format}` };
}

function readMetrics(fields: Fields): ReadonlyMap<string, string> {
  const metrics = fields.object("metrics");
  const columns = metrics.keys();
  const known = columns.map((column): [string, string] => {
    const metric = metrics.text(column);
    if (metric !== "" && !metricNameSchema.safeParse(metric).success)
      metrics.mistake(column, "is not a metric's name");
    return [column, metric];
  });
  if (columns.length === 0) fields.mistake("metrics", "must have at least one column: metric");
  return new Map(known);
}

function readDevice(fields: Fields): DeviceSource {
  const kinds = (["constant", "column", "file"] as const).filter((kind) => fields.has(kind));
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    fields.mistake("constant", "give one of constant, column and file");
    return { constant: "" };
  }
  const text = fields.text(kind);
  if (kind === "constant" && text !== "" && !deviceIdSchema.safeParse(text).success)
    fields.mistake(kind, "is not a device's name");
  const unknown = text.match(/\{(?!name\}|folder\})[^}]*\}?/);
  if (kind === "file" && unknown !== null)
    fields.mistake(kind, `${unknown[0]} is neither {name} nor {folder}`);
  fields.end();
  if (kind === "constant") return { constant: text };
  return kind === "column" ? { column: text } : { file: text };
}

/** A file's device by its name, with the map's template. */
export function deviceOfFile(template: string, path: string): string {
  return template
    .replaceAll("{name}", basename(path, extname(path)))
    .replaceAll("{folder}", basename(dirname(path)));
}
