import type { Stream } from "@sluice/shared/contract/stream.ts";
import { type Column, LANDING_COLUMNS, TABLE_DATE_COLUMN } from "@sluice/shared/contract/table.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** The partition column of every table: the UTC day of the table's date column. */
export const PARTITION_COLUMN = "date";

/** The columns of a table's Parquet files: whose rows they are, then what landed. The partition is in the log. */
export const fileColumns = (stream: Stream): readonly Column[] => [
  { name: "gateway", type: "string", nullable: false },
  { name: "epoch", type: "string", nullable: false },
  ...LANDING_COLUMNS[stream],
];

/** The column that `PARTITION_COLUMN` is the day of. */
export const dateColumn = (stream: Stream): string => TABLE_DATE_COLUMN[stream];

/** A table's schema as Delta writes it (Delta protocol, "Schema Serialization Format"). */
export function schemaString(stream: Stream): string {
  const fields = fileColumns(stream).map((column) => field(column.name, deltaType(column), column.nullable));
  return JSON.stringify({ type: "struct", fields: [...fields, field(PARTITION_COLUMN, "date", true)] });
}

const field = (name: string, type: unknown, nullable: boolean): object => ({
  name,
  type,
  nullable,
  metadata: {},
});

function deltaType(column: Column): unknown {
  const elementType = /^array<(.+)>$/.exec(column.type)?.[1];
  return elementType === undefined ? column.type : { type: "array", elementType, containsNull: true };
}

/**
 * Checks that rows of this version may go into a table that has `existing` as its schema.
 *
 * Throws PipelineError "lake.schema_mismatch" where it differs.
 */
export function checkSchema(stream: Stream, existing: string): undefined {
  if (shape(existing) === shape(schemaString(stream))) return undefined;
  throw new PipelineError("lake.schema_mismatch", `table ${stream} has another schema: ${shape(existing)}`, {
    hint: `This version writes ${shape(schemaString(stream))}. Run the version that wrote the table, or start a new lake.`,
  });
}

/** Names and types in order, for comparing and for people. */
function shape(schema: string): string {
  const parsed: unknown = JSON.parse(schema);
  const fields: unknown = memberOf(parsed, "fields");
  return (Array.isArray(fields) ? fields : [])
    .map((field: unknown) => `${String(memberOf(field, "name"))} ${typeName(memberOf(field, "type"))}`)
    .join(", ");
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;

function typeName(type: unknown): string {
  if (typeof type === "string") return type;
  const elementType = memberOf(type, "elementType");
  return typeof elementType === "string" ? `array<${elementType}>` : JSON.stringify(type);
}
