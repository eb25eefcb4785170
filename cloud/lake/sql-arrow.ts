import {
  DuckDBArrayType,
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListType,
  DuckDBListValue,
  type DuckDBResult,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
} from "@duckdb/node-api";
import { type AnswerColumn, type AnswerType, AnswerWriter } from "@sluice/shared/codec/arrow-answer.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** Types of the engine that Arrow readers know by the same name; all others become text. */
const TYPES: Readonly<Partial<Record<DuckDBTypeId, AnswerType>>> = {
  [DuckDBTypeId.BOOLEAN]: "boolean",
  [DuckDBTypeId.TINYINT]: "integer",
  [DuckDBTypeId.SMALLINT]: "integer",
  [DuckDBTypeId.INTEGER]: "integer",
  [DuckDBTypeId.UTINYINT]: "integer",
  [DuckDBTypeId.USMALLINT]: "integer",
  [DuckDBTypeId.UINTEGER]: "long",
  [DuckDBTypeId.BIGINT]: "long",
  // Sums of whole numbers: a double holds them to 2^53, as every other answer of ours.
  [DuckDBTypeId.HUGEINT]: "double",
  [DuckDBTypeId.DECIMAL]: "double",
  [DuckDBTypeId.FLOAT]: "double",
  [DuckDBTypeId.DOUBLE]: "double",
  [DuckDBTypeId.BLOB]: "binary",
  [DuckDBTypeId.TIMESTAMP]: "timestamp",
  [DuckDBTypeId.TIMESTAMP_TZ]: "timestamp",
};

function answerType(type: DuckDBType): AnswerType {
  if (type instanceof DuckDBListType || type instanceof DuckDBArrayType)
    return { list: answerType(type.valueType) };
  return TYPES[type.typeId] ?? "string";
}

function valueOf(type: AnswerType, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof type === "object")
    return value instanceof DuckDBListValue || value instanceof DuckDBArrayValue
      ? value.items.map((item: unknown) => valueOf(type.list, item))
      : null;
  switch (type) {
    case "timestamp":
      return value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue
        ? value.micros
        : null;
    case "binary":
      return value instanceof DuckDBBlobValue ? value.bytes : null;
    case "long":
      return typeof value === "bigint" ? value : BigInt(Number(value));
    case "double":
      return value instanceof DuckDBDecimalValue ? value.toDouble() : Number(value);
    case "string":
      // oxlint-disable-next-line typescript/no-base-to-string -- every value class of the engine prints itself
      return String(value);
    case "integer":
    case "boolean":
      return value;
  }
}

/** An answer as an Arrow IPC stream. Throws PipelineError "sql.too_large" beyond `rowsMax` rows. */
export async function arrowOf(
  result: DuckDBResult,
  rowsMax: number,
): Promise<{ readonly rows: number; readonly body: Uint8Array }> {
  const types = result.columnTypes().map(answerType);
  const columns = result
    .deduplicatedColumnNames()
    .map((name, i): AnswerColumn => ({ name, type: types[i] ?? "string" }));
  const writer = new AnswerWriter(columns);
  let rows = 0;
  for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
    if (chunk.rowCount === 0) break;
    rows += chunk.rowCount;
    if (rows > rowsMax)
      throw new PipelineError("sql.too_large", `the answer has more than ${rowsMax} rows`, {
        hint: "Arrow is made in memory: use --format parquet, which has no limit, or raise tables.resultRowsMax.",
      });
    writer.write(chunk.getRows().map((row) => row.map((value, i) => valueOf(types[i] ?? "string", value))));
  }
  return { rows, body: writer.finish() };
}
