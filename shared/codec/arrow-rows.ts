import type { Readable } from "node:stream";
import { type Data, DataType, RecordBatchReader, type TimeUnit, type Vector } from "apache-arrow";
import { Instant } from "../contract/instant.ts";
import { present } from "../runtime/assert.ts";

/** Units of a timestamp in one microsecond, and microseconds in one unit, by Arrow's number of the time unit. */
const SCALE: Readonly<Record<TimeUnit, { readonly perUs: bigint; readonly usPer: bigint }>> = {
  0: { perUs: 1n, usPer: 1_000_000n },
  1: { perUs: 1n, usPer: 1_000n },
  2: { perUs: 1n, usPer: 1n },
  3: { perUs: 1_000n, usPer: 1n },
};

/**
 * The columns and rows of an Arrow IPC stream or file, batch by batch. Timestamps come as Instant with all of their
 * digits, whole numbers as numbers.
 */
export async function readArrowRows(file: Readable): Promise<{
  readonly columns: readonly string[];
  readonly rows: AsyncIterable<readonly unknown[]>;
}> {
  const reader = await RecordBatchReader.from(file);
  await reader.open();
  const columns = reader.schema.fields.map((field) => field.name);
  if (columns.length === 0) throw new Error("it is not an Arrow file or stream");
  async function* rowsOf(): AsyncGenerator<readonly unknown[]> {
    for await (const batch of reader) {
      const vectors = columns.map((_, i) => present(batch.getChildAt(i), "a vector per field"));
      for (let row = 0; row < batch.numRows; row++) yield vectors.map((vector) => valueAt(vector, row));
    }
  }
  return { columns, rows: rowsOf() };
}

function valueAt(vector: Vector, row: number): unknown {
  if (DataType.isTimestamp(vector.type)) return instantAt(vector, row, vector.type.unit);
  const value: unknown = vector.get(row);
  return typeof value === "bigint" ? Number(value) : value;
}

/** From the 64-bit number itself: the library's own reading is cut to milliseconds. */
function instantAt(vector: Vector, row: number, unit: TimeUnit): Instant | null {
  if (!vector.isValid(row)) return null;
  const data: Data = present(vector.data[0], "a batch has one chunk");
  const raw: unknown = (data.values as BigInt64Array)[row];
  const { perUs, usPer } = SCALE[unit];
  const us = typeof raw === "bigint" ? Number((raw * usPer) / perUs) : NaN;
  return new Instant(Number.isSafeInteger(us) ? us : NaN);
}
