import type { DuckDBConnection, DuckDBResult } from "@duckdb/node-api";
import { CLOCKS, type ReadingBlock, type Series } from "@sluice/shared/contract/reading.ts";
import { chunksOf, copyNumbers, type NumberedChunk, numbersOf } from "./chunks.ts";
import { micros } from "./vectors.ts";
import { quoteText } from "./views.ts";

/** Which readings: one gateway's in one epoch, from a message offset on. */
export interface ReadingQuery {
  readonly gateway: string;
  readonly epoch: string;
  readonly fromOffset: number;
  /** Only those of one device type and these metrics, where given: what one view reads. */
  readonly only?: { readonly deviceType: string; readonly metrics: readonly string[] };
}

/** Readings of a block: 50,000 are 2.2 MB of columns. */
const BLOCK_READINGS_MAX = 50_000;

/** Readings that are sorted at once, 44 bytes each: the next ones are sorted while these are worked on. */
const SORT_READINGS = 1_000_000;

/** How finely offsets are counted to find ranges of so many readings. */
const OFFSET_BUCKETS = 4_096;

/** A range of offsets, both ends included. */
interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

/** Reads readings in blocks of at most 50,000, ordered by (offset, index). All blocks have one list of series. */
export async function* readReadings(
  connection: DuckDBConnection,
  query: ReadingQuery,
): AsyncGenerator<ReadingBlock> {
  const where = conditionOf(query);
  const series = await numberSeries(connection, where);
  const ranges = await planRanges(connection, where);
  const sort = ({ from, to }: OffsetRange): Promise<DuckDBResult> =>
    connection.run(
      `${SELECT} WHERE ${where} AND r."offset" BETWEEN ${from} AND ${to} ORDER BY r."offset", r."index"`,
    );
  const [first, ...others] = ranges;
  if (first === undefined) return;
  let sorting = sort(first);
  try {
    for (const next of others) {
      const blocks = await copyBlocks(await sorting, series);
      sorting = sort(next);
      // Whoever stops listening early must not leave a rejection behind that nobody sees.
      sorting.catch(() => undefined);
      yield* blocks;
    }
    yield* await copyBlocks(await sorting, series);
  } finally {
    await sorting.catch(() => undefined);
  }
}

function conditionOf({ gateway, epoch, fromOffset, only }: ReadingQuery): string {
  const place = `r.gateway = ${quoteText(gateway)} AND r.epoch = ${quoteText(epoch)} AND r."offset" >= ${Math.round(fromOffset)}`;
  if (only === undefined) return place;
  const metrics = only.metrics.map(quoteText).join(", ");
  return `${place} AND r.device_type = ${quoteText(only.deviceType)} AND r.metric IN (${metrics})`;
}

const CLOCK_CASES = CLOCKS.map((clock, i) => `WHEN ${quoteText(clock)} THEN ${i}`).join(" ");

const SELECT = `SELECT series.id, r."offset"::DOUBLE, r."index", ${micros("measured_at")}, ${micros("received_at")},
    r."value", (CASE r.clock ${CLOCK_CASES} END)::UTINYINT, coalesce(r.withheld, false)::UTINYINT
  FROM readings AS r JOIN series ON r.device = series.device AND r.device_type = series.device_type
    AND r.metric = series.metric AND r.unit IS NOT DISTINCT FROM series.unit`;

/** Names are decoded once per series and not once per reading. */
async function numberSeries(connection: DuckDBConnection, where: string): Promise<readonly Series[]> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE series AS SELECT (row_number() OVER () - 1)::INTEGER AS id, * FROM (
       SELECT DISTINCT device, device_type, metric, unit FROM readings AS r WHERE ${where} ORDER BY ALL)`,
  );
  const reader = await connection.runAndReadAll(
    "SELECT device, device_type, metric, unit FROM series ORDER BY id",
  );
  return reader.getRows().map(([device, deviceType, metric, unit]) => ({
    device: String(device),
    deviceType: String(deviceType),
    metric: String(metric),
    unit: typeof unit === "string" ? unit : undefined,
  }));
}

/** Ranges of about as many readings as are sorted at once, in order. */
async function planRanges(connection: DuckDBConnection, where: string): Promise<readonly OffsetRange[]> {
  const [least = 0, most = -1] = await numbersOf(
    connection,
    `SELECT coalesce(min("offset"), 0), coalesce(max("offset"), -1) FROM readings AS r WHERE ${where}`,
  );
  if (most < least) return [];
  const width = Math.max(1, Math.ceil((most - least + 1) / OFFSET_BUCKETS));
  const reader = await connection.runAndReadAll(
    `SELECT (("offset" - ${least}) // ${width})::INTEGER AS bucket, count(*) FROM readings AS r WHERE ${where} GROUP BY 1 ORDER BY 1`,
  );
  const ranges: OffsetRange[] = [];
  let from = least;
  let count = 0;
  for (const [bucket, readings] of reader.getRows()) {
    if (count > 0 && count + Number(readings) > SORT_READINGS) {
      const end = least + Number(bucket) * width;
      ranges.push({ from, to: end - 1 });
      [from, count] = [end, 0];
    }
    count += Number(readings);
  }
  return [...ranges, { from, to: most }];
}

async function copyBlocks(result: DuckDBResult, series: readonly Series[]): Promise<ReadingBlock[]> {
  const blocks: ReadingBlock[] = [];
  let block = new BlockBuilder(series);
  for await (const chunk of chunksOf(result)) {
    if (!block.hasRoom(chunk.rows)) {
      blocks.push(block.build());
      block = new BlockBuilder(series);
    }
    block.append(chunk);
  }
  if (!block.isEmpty) blocks.push(block.build());
  return blocks;
}

/** A block while chunks are copied into it. */
class BlockBuilder {
  readonly #series: readonly Series[];
  readonly #seriesIndex = new Uint32Array(BLOCK_READINGS_MAX);
  readonly #offset = new Float64Array(BLOCK_READINGS_MAX);
  readonly #index = new Uint32Array(BLOCK_READINGS_MAX);
  readonly #measuredAtUs = new Float64Array(BLOCK_READINGS_MAX);
  readonly #receivedAtUs = new Float64Array(BLOCK_READINGS_MAX);
  readonly #value = new Float64Array(BLOCK_READINGS_MAX);
  readonly #clock = new Uint8Array(BLOCK_READINGS_MAX);
  readonly #withheld = new Uint8Array(BLOCK_READINGS_MAX);
  #count = 0;

  constructor(series: readonly Series[]) {
    this.#series = series;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  hasRoom(rows: number): boolean {
    return this.#count + rows <= BLOCK_READINGS_MAX;
  }

  append({ chunk, rows }: NumberedChunk): void {
    const at = this.#count;
    const targets = [this.#seriesIndex, this.#offset, this.#index, this.#measuredAtUs, this.#receivedAtUs];
    [...targets, this.#value, this.#clock, this.#withheld].forEach((target, c) =>
      copyNumbers(chunk, c, { target, at }),
    );
    this.#count += rows;
  }

  build(): ReadingBlock {
    const count = this.#count;
    return {
      count,
      series: this.#series,
      seriesIndex: this.#seriesIndex.subarray(0, count),
      offset: this.#offset.subarray(0, count),
      index: this.#index.subarray(0, count),
      measuredAtUs: this.#measuredAtUs.subarray(0, count),
      receivedAtUs: this.#receivedAtUs.subarray(0, count),
      value: this.#value.subarray(0, count),
      clock: this.#clock.subarray(0, count),
      withheld: this.#withheld.subarray(0, count),
    };
  }
}
