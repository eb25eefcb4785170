import { createReadStream, createWriteStream } from "node:fs";
import { copyFile, link } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import { readArrowRows } from "@sluice/shared/codec/arrow-rows.ts";
import { Instant } from "@sluice/shared/contract/instant.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { quoteName, quoteText } from "./views.ts";

/** Formats of files with rows, by the ends of their names. */
export const ROW_FORMATS = ["csv", "parquet", "arrow"] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

/** The column of `request_rows` that numbers them from 0. */
export const ROW = quoteName("row of the join");

const NUMBERED = `(row_number() OVER () - 1)::INTEGER AS ${ROW}`;

/** Most rows that one join answers: what is held of each in memory takes 60 bytes, so 1.2 GB. */
const ROWS_MAX = 20_000_000;

/** Types that hold microseconds since the epoch. */
const WHOLE_NUMBER = /^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$|^DOUBLE$|^DECIMAL/;

/** 1980 in microseconds. What is below is another unit: milliseconds reach it in the year 11970. */
const PLAUSIBLE_US_MIN = 315_532_800_000_000;

/** What a row must or may say; every other column is handed on as it is. */
const KNOWN_COLUMNS = {
  device: "which device",
  event_time: "the time that the row holds for",
  known_at: "the time by which a vector must have been known, event_time where it is empty",
  gateway: "only this gateway's vectors",
} as const;

type KnownColumn = keyof typeof KNOWN_COLUMNS;
const REQUIRED: readonly KnownColumn[] = ["device", "event_time"];

/**
 * Loads a file as the temporary table `request_rows` with the places of the rows in the file.
 *
 * Throws PipelineError "config.rows" where the file is none of these formats or lacks a column.
 */
export async function loadRowsFile(
  connection: DuckDBConnection,
  file: { readonly path: string; readonly format: RowFormat; readonly workDir: string },
): Promise<void> {
  const { path, format, workDir } = file;
  // Before the engine sees it the file comes into the only folder that the engine may look into.
  const copy = join(workDir, `rows.${format === "arrow" ? "csv" : format}`);
  try {
    if (format === "arrow") await arrowToCsv(path, copy);
    else await linkOrCopy(path, copy);
    await connection.run(
      `CREATE TEMP TABLE request_rows AS SELECT ${NUMBERED}, * FROM ${await readerOf(connection, copy, format)}`,
    );
  } catch (cause) {
    throw new PipelineError("config.rows", `${path} cannot be read: ${describeError(cause)}`, {
      cause,
      hint: `The rows need the columns ${REQUIRED.join(" and ")}; files are ${ROW_FORMATS.join(", ")}.`,
    });
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  // Another file system than the cache's.
  await link(from, to).catch(() => copyFile(from, to));
}

/** Names of devices and gateways are texts, although they may look like numbers. */
async function readerOf(connection: DuckDBConnection, path: string, format: RowFormat): Promise<string> {
  if (format === "parquet") return `read_parquet(${quoteText(path)})`;
  const plain = `read_csv(${quoteText(path)}, header = true`;
  const reader = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${plain})`);
  const names = reader.getRows().map(([name]) => String(name));
  const texts = ["device", "gateway"].filter((name) => names.includes(name));
  if (texts.length === 0) return `${plain})`;
  return `${plain}, types = {${texts.map((name) => `${quoteName(name)}: 'VARCHAR'`).join(", ")}})`;
}

async function arrowToCsv(from: string, to: string): Promise<void> {
  const { columns, rows } = await readArrowRows(createReadStream(from));
  async function* lines(): AsyncGenerator<string> {
    yield `${columns.map(csvField).join(",")}\n`;
    for await (const row of rows) yield `${row.map(csvField).join(",")}\n`;
  }
  await pipeline(lines, createWriteStream(to));
}

function csvField(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text =
    value instanceof Instant
      ? isoMicros(value.us)
      : typeof value === "string"
        ? value
        : JSON.stringify(value);
  return typeof value === "string" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** ISO 8601 with all six decimals. */
function isoMicros(us: number): string {
  const belowMs = ((us % 1_000) + 1_000) % 1_000;
  return `${isoTime(us - belowMs).slice(0, -1)}${String(belowMs).padStart(3, "0")}Z`;
}

/** Loads the lake's labels as `request_rows`: each asks for what was known when the time ended that it holds for. */
export async function loadLabels(connection: DuckDBConnection): Promise<void> {
  await connection.run(
    `CREATE TEMP TABLE request_rows AS
     SELECT ${NUMBERED}, device, "to" AS event_time, label, author, note, "from" AS label_from, known_at AS label_known_at
     FROM (FROM labels ORDER BY known_at, gateway, epoch, "offset")`,
  );
}

/**
 * Makes `request_keys` (row, entity, event_us, known_us) and `entities` (id, device, gateway) of `request_rows`.
 *
 * `knownAtUs` takes the place of what the rows say. Returns how many rows there are. Throws PipelineError "config.rows"
 * where a column is missing or a row has no device or no time.
 */
export async function keyRows(connection: DuckDBConnection, knownAtUs: number | undefined): Promise<number> {
  const described = await connection.runAndReadAll("DESCRIBE request_rows");
  const types = new Map(described.getRows().map(([name, type]) => [String(name), String(type)]));
  for (const name of REQUIRED)
    if (!types.has(name))
      throw new PipelineError("config.rows", `the rows have no column ${name}: ${KNOWN_COLUMNS[name]}`, {
        hint: `They have ${[...types.keys()].slice(1).join(", ")}. Rename the column.`,
      });
  const gateway = types.has("gateway") ? "gateway::VARCHAR" : "NULL::VARCHAR";
  const event = microsOf("event_time", types.get("event_time"));
  const known =
    knownAtUs === undefined
      ? types.has("known_at")
        ? `CASE WHEN known_at IS NULL THEN ${event} ELSE ${microsOf("known_at", types.get("known_at"))} END`
        : event
      : `${Math.round(knownAtUs)}`;
  await connection.run(
    `CREATE TEMP TABLE request_times AS SELECT ${ROW} AS "row", device::VARCHAR AS device, ${gateway} AS gateway,
       (${event})::BIGINT AS event_us, (${known})::BIGINT AS known_us FROM request_rows`,
  );
  const rows = await checkTimes(connection, WHOLE_NUMBER.test(types.get("event_time") ?? ""));
  await connection.run(
    `CREATE TEMP TABLE entities AS SELECT (row_number() OVER (ORDER BY device, gateway) - 1)::INTEGER AS id, device, gateway
     FROM (SELECT DISTINCT device, gateway FROM request_times)`,
  );
  await connection.run(
    `CREATE TEMP TABLE request_keys AS SELECT "row", id AS entity, event_us, known_us FROM request_times AS t
     JOIN entities AS e ON t.device = e.device AND t.gateway IS NOT DISTINCT FROM e.gateway`,
  );
  return rows;
}

async function checkTimes(connection: DuckDBConnection, isWholeNumber: boolean): Promise<number> {
  const reader = await connection.runAndReadAll(
    `SELECT count(*), count(*) FILTER (device IS NULL OR event_us IS NULL OR known_us IS NULL),
       min("row") FILTER (device IS NULL OR event_us IS NULL OR known_us IS NULL), max(event_us) FROM request_times`,
  );
  const [rows = 0, wrong = 0, first = 0, latestUs = 0] = (reader.getRows()[0] ?? []).map(Number);
  if (isWholeNumber && rows > 0 && latestUs < PLAUSIBLE_US_MIN)
    throw new PipelineError(
      "config.rows",
      `event_time is at most ${latestUs}, which is no time in microseconds`,
      {
        hint: "It looks like seconds or milliseconds: multiply it, or write ISO 8601.",
      },
    );
  if (rows > ROWS_MAX)
    throw new PipelineError("config.rows", `${rows} rows, at most ${ROWS_MAX} are joined at once`, {
      hint: "Join them in parts.",
    });
  if (wrong > 0)
    throw new PipelineError(
      "config.rows",
      `${wrong} of ${rows} rows have no device or no time that can be read; the first is row ${first + 1}`,
      { hint: "Times are ISO 8601 (UTC without a zone), or whole microseconds since the epoch." },
    );
  return rows;
}

/** A column as microseconds since the epoch; NULL where it cannot be read. */
function microsOf(column: string, type = "VARCHAR"): string {
  const name = quoteName(column);
  if (/^TIMESTAMP WITH TIME ZONE$|^TIMESTAMP$/.test(type)) return `epoch_us(${name})`;
  if (/^TIMESTAMP|^DATE$/.test(type)) return `epoch_us(${name}::TIMESTAMP)`;
  if (WHOLE_NUMBER.test(type)) return `${name}::BIGINT`;
  return `epoch_us(TRY_CAST(${name} AS TIMESTAMPTZ))`;
}
