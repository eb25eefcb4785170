import { basename } from "node:path";
import { encodeArrow } from "@sluice/shared/codec/arrow-ipc.ts";
import type { ColumnData, ColumnTable } from "@sluice/shared/codec/columns.ts";
import { decodeLanding } from "@sluice/shared/codec/landing.ts";
import { landingColumns } from "@sluice/shared/codec/landing-columns.ts";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { LANDING_COLUMNS } from "@sluice/shared/contract/table.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Bodies } from "../body.ts";
import { outboxPlace } from "../outbox.ts";
import { pendingPlace } from "../pending.ts";
import { type GroupRow, messagesOf } from "../segment.ts";
import type { BufferFiles } from "./buffer-files.ts";
import type { OffsetRange } from "./salvage.ts";
import { readSegment } from "./segment-rows.ts";
import { SqliteImage } from "./sqlite-image.ts";
import { readState, type StateRow } from "./state-rows.ts";

export interface ExportOptions {
  readonly bodies: Bodies;
  /** Offsets [from, end) that are wanted. */
  readonly range: OffsetRange;
  /** Takes the next piece. */
  readonly write: (piece: Uint8Array) => void;
}

/** What was written, and what is wrong with the files that it is from: then something may be missing in it. */
export interface Exported {
  readonly count: number;
  readonly problems: readonly string[];
}

/**
 * Writes raw messages as JSON, one on a line, in the order of their offsets within each file; from a damaged file those
 * that are whole. Takes memory for one segment.
 */
export function exportMessages(paths: readonly string[], { bodies, range, write }: ExportOptions): Exported {
  let count = 0;
  const found: string[] = [];
  for (const path of paths) {
    const groups: GroupRow[] = [];
    const problems = readSegment(path, (row) => {
      if (row.first < range.end && row.first + row.count > range.from) groups.push(row);
    });
    found.push(...problems.named.map((problem) => `${path}: ${problem}`));
    for (const group of groups.sort((a, b) => a.first - b.first)) {
      const lines = messagesOf(group, group, bodies).flatMap((message, i) => {
        const offset = group.first + i;
        return offset >= range.from && offset < range.end ? [messageLine(offset, message)] : [];
      });
      if (lines.length === 0) continue;
      write(Buffer.from(lines.join("")));
      count += lines.length;
    }
  }
  return { count, problems: found };
}

/** Fatal: text that is not UTF-8 must not come out as replacement characters. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function messageLine(offset: number, message: IncomingMessage): string {
  const { client, topic, qos, retain, dup, packetId, payload, receivedAtUs } = message;
  const body = payloadText(payload);
  const shown = {
    offset,
    receivedAt: isoTime(receivedAtUs),
    receivedAtUs,
    client,
    topic,
    qos,
    retain,
    dup,
    packetId,
  };
  return `${JSON.stringify({ ...shown, ...body })}\n`;
}

function payloadText(payload: Uint8Array): { readonly payload: string } | { readonly payloadBase64: string } {
  try {
    return { payload: utf8.decode(payload) };
  } catch {
    return { payloadBase64: Buffer.from(payload).toString("base64") };
  }
}

export type ReadingsFormat = "csv" | "arrow";

/**
 * Writes the readings that the buffer holds and the lake does not, those that are whole: the batches of the outbox, then
 * what waits to be in one, which is later; what was delivered is in the lake. CSV takes memory for one batch and for
 * what waits, Arrow for all: it is one stream, made at once.
 */
export function exportReadings(files: BufferFiles, format: ReadingsFormat, options: ExportOptions): Exported {
  const { bodies, range, write } = options;
  const path = files.states.find((name) => basename(name) === "state.db");
  if (path === undefined) throw new PipelineError("config.buffer_dir", `${files.dir} holds no state`);
  const isCsv = format === "csv";
  const kept: ColumnTable[] = [];
  let count = 0;
  if (isCsv) write(Buffer.from(`${NAMES.join(",")}\n`));
  const image = new SqliteImage(path);
  try {
    const { problems } = readState(image, bodies, (row) => {
      const table = readingsOf(row, bodies);
      if (table === undefined) return;
      const wanted = within(table, range);
      count += wanted.count;
      if (isCsv && row.table === "outbox") write(Buffer.from(csvLines(wanted)));
      else kept.push(wanted);
    });
    kept.sort((a, b) => firstOffset(a) - firstOffset(b));
    if (!isCsv) write(encodeArrow(LANDING_COLUMNS.readings, joined(kept)));
    else for (const table of kept) write(Buffer.from(csvLines(table)));
    return { count, problems: problems.named.map((problem) => `${path}: ${problem}`) };
  } finally {
    image.close();
  }
}

const NAMES = LANDING_COLUMNS.readings.map(({ name }) => name);

function readingsOf({ table, values }: StateRow, bodies: Bodies): ColumnTable | undefined {
  const [, stream, from, to, rows, sixth, seventh, body] = values;
  if (stream !== "readings") return undefined;
  const range = { from: Number(from), to: Number(to), rows: Number(rows) };
  if (table === "pending" && seventh instanceof Uint8Array) {
    const place = { stream, from_offset: range.from, to_offset: range.to, rows: range.rows };
    const chunk = bodies.open(pendingPlace({ ...place, at_us: Number(sixth) }), seventh);
    return landingColumns("readings", [decodeChunk("readings", chunk)]);
  }
  if (table !== "outbox" || !(body instanceof Uint8Array)) return undefined;
  const place = outboxPlace({ stream, ...range, key: String(sixth), sha256: String(seventh) });
  return decodeLanding("readings", bodies.open(place, body));
}

const numbers = (table: ColumnTable, name: string): Float64Array => {
  const column = table.columns[name];
  return column?.kind === "numbers" ? column.values : new Float64Array(table.count);
};

const firstOffset = (table: ColumnTable): number => numbers(table, "offset")[0] ?? 0;

/** The rows whose offset is in the range. */
function within(table: ColumnTable, { from, end }: OffsetRange): ColumnTable {
  const rows = [...numbers(table, "offset").entries()].flatMap(([row, offset]) =>
    offset >= from && offset < end ? [row] : [],
  );
  if (rows.length === table.count) return table;
  const columns = Object.entries(table.columns).map(([name, column]) => [name, pick(column, rows)]);
  return { count: rows.length, columns: Object.fromEntries(columns) };
}

function pick(column: ColumnData, rows: readonly number[]): ColumnData {
  if (column.kind === "numbers")
    return { ...column, values: Float64Array.from(rows, (row) => column.values[row] ?? NaN) };
  if (column.kind === "booleans")
    return { ...column, values: Uint8Array.from(rows, (row) => column.values[row] ?? 0) };
  if (column.kind === "strings")
    return { ...column, indices: Int32Array.from(rows, (row) => column.indices[row] ?? -1) };
  throw new PipelineError("buffer.damaged", `readings have no column of ${column.kind}`);
}

/** One table of several with the same columns. */
function joined(tables: readonly ColumnTable[]): ColumnTable {
  const count = tables.reduce((sum, table) => sum + table.count, 0);
  const columns = LANDING_COLUMNS.readings.map(({ name, type }) => {
    const cells = tables.flatMap((table) =>
      Array.from({ length: table.count }, (_, row) => cell(table, name, row)),
    );
    if (type === "string") return [name, stringsOf(cells)];
    if (type === "boolean") return [name, { kind: "booleans", values: Uint8Array.from(cells, Number) }];
    return [name, { kind: "numbers", values: Float64Array.from(cells, Number) }];
  });
  return { count, columns: Object.fromEntries(columns) };
}

type Cell = string | number | boolean | undefined;

function stringsOf(cells: readonly Cell[]): ColumnData {
  const dictionary = [...new Set(cells.filter((text) => typeof text === "string"))];
  const places = new Map(dictionary.map((text, i) => [text, i]));
  const indices = Int32Array.from(cells, (text) => places.get(String(text)) ?? -1);
  return { kind: "strings", dictionary, indices };
}

function cell(table: ColumnTable, name: string, row: number): Cell {
  const column = table.columns[name];
  if (column?.kind === "numbers") return column.values[row];
  if (column?.kind === "booleans") return column.values[row] === 1;
  return column?.kind === "strings" ? column.dictionary[column.indices[row] ?? -1] : undefined;
}

function csvLines(table: ColumnTable): string {
  const isTime = new Set(
    LANDING_COLUMNS.readings.filter(({ type }) => type === "timestamp").map(({ name }) => name),
  );
  let text = "";
  for (let row = 0; row < table.count; row++) {
    const cells = NAMES.map((name) => {
      const value = cell(table, name, row);
      return isTime.has(name) && typeof value === "number" ? isoMicros(value) : quoted(value);
    });
    text += `${cells.join(",")}\n`;
  }
  return text;
}

/** All of a time's digits: as text it is read by programs too. */
const isoMicros = (us: number): string =>
  `${isoTime(us).slice(0, 23)}${String(us % 1_000).padStart(3, "0")}Z`;

function quoted(value: Cell): string {
  const text = value === undefined ? "" : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
