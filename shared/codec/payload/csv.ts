import { parseDecimal } from "./decimal.ts";
import { malformed, type PayloadDecoder, showValue, type ValueSink } from "./payload-decoder.ts";
import type { CsvPayloadSettings } from "./settings.ts";
import { decodeText } from "./text.ts";
import { eventTimeUs } from "./time.ts";

/**
 * Comma-separated values (RFC 4180): each line is a record, its columns are metrics.
 *
 * An empty field is no value. A line with too few or too many fields, or without a time, is refused by itself.
 */
export function createCsvDecoder(settings: CsvPayloadSettings): PayloadDecoder {
  const ignored = new Set(settings.ignore);
  return {
    needsTopicMetric: false,
    namesDevice: false,
    decode(payload, sink) {
      const lines = parseCsv(decodeText(payload), settings.delimiter);
      const header = settings.columns ?? lines.shift()?.map((name) => name.trim()) ?? [];
      const first = settings.columns === undefined ? 2 : 1;
      const timeAt = settings.time === undefined ? -1 : header.indexOf(settings.time.column);
      if (settings.time !== undefined && timeAt === -1)
        throw malformed(
          `The header has no time column "${settings.time.column}", only ${showValue(header)}.`,
        );
      for (const [place, fields] of lines.entries()) {
        const line = place + first;
        if (fields.length === header.length)
          giveLine(fields, { header, timeAt, ignored, settings, line }, sink);
        else
          sink.refuse(
            "payload.malformed",
            `Record line ${line} has ${fields.length} fields, not ${header.length}: ${showValue(fields.join(settings.delimiter))}.`,
          );
      }
    },
  };
}

interface LinePlan {
  readonly header: readonly string[];
  readonly timeAt: number;
  readonly ignored: ReadonlySet<string>;
  readonly settings: CsvPayloadSettings;
  readonly line: number;
}

function giveLine(fields: readonly string[], plan: LinePlan, sink: ValueSink): void {
  const { time } = plan.settings;
  const text = fields[plan.timeAt]?.trim();
  const measuredAtUs = time === undefined ? undefined : eventTimeUs(text, time.unit);
  if (time !== undefined && Number.isNaN(measuredAtUs))
    sink.refuse(
      "time.invalid",
      `The time column "${time.column}" of line ${plan.line} is ${showValue(text)}, not a time in ${time.unit}.`,
    );
  else sink.record(measuredAtUs);
  for (const [place, name] of plan.header.entries()) {
    const field = fields[place];
    if (place === plan.timeAt || plan.ignored.has(name) || field === undefined) continue;
    const value = parseDecimal(field);
    if (value !== "") sink.value(name, value);
  }
}

/** The fields of each line that is not empty. Throws "payload.malformed" on a quote that is misplaced or never closed. */
function parseCsv(text: string, delimiter: string): string[][] {
  if (!text.includes('"'))
    return text
      .split(/\r?\n/)
      .filter((line) => line !== "")
      .map((line) => line.split(delimiter));
  const lines: string[][] = [];
  let fields: string[] = [];
  for (let at = 0; at <= text.length;) {
    const { field, end } = readField(text, at, delimiter);
    fields.push(field);
    if (text[end] !== delimiter) {
      if (fields.length > 1 || field !== "") lines.push(fields);
      fields = [];
    }
    at = text.startsWith("\r\n", end) ? end + 2 : end + 1;
  }
  return lines;
}

interface Field {
  readonly field: string;
  /** The place of the delimiter or line end after it, or the length of the text. */
  readonly end: number;
}

function readField(text: string, from: number, delimiter: string): Field {
  const isEnd = (at: number): boolean =>
    at >= text.length || text[at] === delimiter || text[at] === "\n" || text.startsWith("\r\n", at);
  if (text[from] !== '"') {
    let end = from;
    while (!isEnd(end)) end += 1;
    const field = text.slice(from, end);
    if (field.includes('"'))
      throw malformed(`A quote stands within a field at character ${from + field.indexOf('"')}.`);
    return { field, end };
  }
  for (let at = from + 1; ; at++) {
    const close = text.indexOf('"', at);
    if (close === -1) throw malformed(`The quote at character ${from} is never closed.`);
    at = close + 1;
    if (text[at] === '"') continue;
    if (!isEnd(at))
      throw malformed(`After the closing quote at character ${close} there is ${showValue(text[at])}.`);
    return { field: text.slice(from + 1, close).replaceAll('""', '"'), end: at };
  }
}
