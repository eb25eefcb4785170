import type { DuckDBConnection } from "@duckdb/node-api";
import type { Label } from "@sluice/shared/contract/label.ts";
import { assert } from "@sluice/shared/runtime/assert.ts";
import { chunksOf, copyNumbers, copyTexts, numbersOf } from "./chunks.ts";
import { quoteText } from "./views.ts";

/**
 * Feature vectors of one view by column, every revision that the lake knows, in any order.
 *
 * All arrays have one entry per vector; `values` is row-major with one column per feature of the view, NaN where the
 * feature has no value. Times are whole microseconds since the epoch, UTC; windows are half-open.
 */
export interface VectorTable {
  readonly gateway: readonly string[];
  readonly epoch: readonly string[];
  readonly seq: Float64Array;
  readonly device: readonly string[];
  readonly windowStartUs: Float64Array;
  readonly windowEndUs: Float64Array;
  readonly revision: Float64Array;
  /** When the vector could first be known. */
  readonly closedAtUs: Float64Array;
  readonly readingCount: Float64Array;
  /** 1 where models do not get it, because the breaker of the view was open for the device. */
  readonly withheld: Uint8Array;
  readonly values: Float64Array;
}

export interface VectorQuery {
  readonly viewHash: string;
  /** Windows that end after `fromUs` and begin before `toUs`. */
  readonly fromUs?: number;
  readonly toUs?: number;
  /** Only what was known by then. */
  readonly knownByUs?: number;
}

/** An exact time as a double: microseconds since the epoch. */
export const micros = (column: string): string => `epoch_us("${column}")::DOUBLE`;

/** A bound of a comparison. Infinite bounds hold always. */
export const isoBound = (us: number): string =>
  us === Infinity
    ? "'infinity'::TIMESTAMPTZ"
    : us === -Infinity
      ? "'-infinity'::TIMESTAMPTZ"
      : `make_timestamptz(${Math.round(us)})`;

/** Reads the vectors of a view. Each number goes from the engine's column into its array, no row is made. */
export async function readVectors(connection: DuckDBConnection, query: VectorQuery): Promise<VectorTable> {
  const { viewHash, fromUs = -Infinity, toUs = Infinity, knownByUs = Infinity } = query;
  const from = `FROM features WHERE view_hash = ${quoteText(viewHash)}
    AND window_end > ${isoBound(fromUs)} AND window_start < ${isoBound(toUs)} AND closed_at <= ${isoBound(knownByUs)}`;
  const [count = 0, width = 0] = await numbersOf(
    connection,
    `SELECT count(*), coalesce(max(len("values")), 0) ${from}`,
  );
  const numbers = ["seq", "revision", "reading_count"].map((name) => `"${name}"::DOUBLE`);
  const times = ["window_start", "window_end", "closed_at"].map(micros);
  const withheld = "coalesce(withheld, false)::UTINYINT";
  const values = Array.from({ length: width }, (_, i) => `coalesce("values"[${i + 1}], 'nan'::DOUBLE)`);
  const result = await connection.stream(
    `SELECT gateway, epoch, device, ${[...numbers, ...times, withheld, ...values].join(", ")} ${from}`,
  );
  const column = (): Float64Array => new Float64Array(count);
  const [seq, revision, readingCount] = [column(), column(), column()];
  const [windowStartUs, windowEndUs, closedAtUs] = [column(), column(), column()];
  const texts: readonly [string[], string[], string[]] = [[], [], []];
  const table = {
    gateway: texts[0],
    epoch: texts[1],
    device: texts[2],
    withheld: new Uint8Array(count),
    values: new Float64Array(count * width),
  };
  const columns = [seq, revision, readingCount, windowStartUs, windowEndUs, closedAtUs, table.withheld];
  const names = new Map<string, string>();
  for await (const { at, rows, chunk } of chunksOf(result)) {
    texts.forEach((target, c) => copyTexts(chunk, c, { target, at, names }));
    columns.forEach((target, c) => copyNumbers(chunk, 3 + c, { target, at }));
    for (let i = 0; i < width; i++)
      copyNumbers(chunk, 10 + i, { target: table.values, at: at * width + i, step: width });
    assert(at + rows <= count, "a query sees one version of a table");
  }
  return { ...table, seq, revision, readingCount, windowStartUs, windowEndUs, closedAtUs };
}

/** Reads the labels known by then, in the order in which they became known. */
export async function readLabels(
  connection: DuckDBConnection,
  { knownByUs = Infinity }: { readonly knownByUs?: number },
): Promise<readonly Label[]> {
  const reader = await connection.runAndReadAll(
    `SELECT "offset"::DOUBLE, device, ${micros("from")}, ${micros("to")}, label, author, note, ${micros("known_at")}
     FROM labels WHERE known_at <= ${isoBound(knownByUs)} ORDER BY known_at, gateway, epoch, "offset"`,
  );
  return reader.getRows().map(([offset, device, from, to, label, author, note, knownAt]) => ({
    offset: Number(offset),
    device: String(device),
    fromUs: Number(from),
    toUs: Number(to),
    label: String(label),
    author: String(author),
    note: String(note),
    knownAtUs: Number(knownAt),
  }));
}
