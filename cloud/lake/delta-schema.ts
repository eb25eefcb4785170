import type { Stream } from "@sluice/shared/contract/stream.ts";
import { type Column, LANDING_COLUMNS, TABLE_DATE_COLUMN } from "@sluice/shared/contract/table.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { damaged } from "./delta-action.ts";

/** The partition column of every table: the UTC day of the table's date column. */
export const PARTITION_COLUMN = "date";

const DATE_FIELD = { name: PARTITION_COLUMN, type: "date", nullable: true } as const;

/** The columns of a table's Parquet files: whose rows they are, then what landed. The partition is in the log. */
export const fileColumns = (stream: Stream): readonly Column[] => [
  { name: "gateway", type: "string", nullable: false },
  { name: "epoch", type: "string", nullable: false },
  ...LANDING_COLUMNS[stream],
];

/** All columns of a table. */
export const tableColumns = (stream: Stream): readonly string[] => [
  ...fileColumns(stream).map(({ name }) => name),
  PARTITION_COLUMN,
];

/** The column that `PARTITION_COLUMN` is the day of. */
export const dateColumn = (stream: Stream): string => TABLE_DATE_COLUMN[stream];

/** A table's schema as Delta writes it (Delta protocol, "Schema Serialization Format"). */
export function schemaString(stream: Stream): string {
  return JSON.stringify({ type: "struct", fields: [...fileColumns(stream), DATE_FIELD].map(fieldOf) });
}

const fieldOf = ({ name, type, nullable }: Omit<Column, "type"> & { readonly type: string }): Field => ({
  name,
  type: deltaType(type),
  nullable,
  metadata: {},
});

function deltaType(type: string): unknown {
  const elementType = /^array<(.+)>$/.exec(type)?.[1];
  return elementType === undefined ? type : { type: "array", elementType, containsNull: true };
}

/** A column as a table's schema has it. */
interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly nullable: boolean;
  readonly metadata?: object;
}

/**
 * What a table with the schema `existing` must have as its schema before rows of this version go in: undefined where it
 * may stay as it is. Columns are told apart by their names; their order does not matter.
 *
 * - A column that the table lacks is added behind the others: older files have null there, so it is nullable.
 * - A column that must have a value in the table, and need not in these rows, becomes nullable.
 * - A column that only the table has is left out of new files, which makes it null there.
 *
 * Throws PipelineError "lake.schema_mismatch" where a column has another type, or one that is left out must have values.
 */
export function checkSchema(stream: Stream, existing: string): string | undefined {
  const fields = parseFields(stream, existing);
  const own = [...fileColumns(stream).map(fieldOf), fieldOf(DATE_FIELD)];
  for (const wanted of own) {
    const there = fields.find(({ name }) => name === wanted.name);
    if (there !== undefined && typeName(there.type) !== typeName(wanted.type))
      throw mismatch(
        `table ${stream}: column ${wanted.name} is ${typeName(there.type)}, and this version writes ${typeName(wanted.type)}`,
        "A column's type cannot change. Run the version that wrote the table, or read the table into a new lake with this version's types.",
      );
  }
  for (const { name, nullable, type } of fields)
    if (!nullable && !own.some((column) => column.name === name))
      throw mismatch(
        `table ${stream}: column ${name} (${typeName(type)}) must have a value, and this version does not know it`,
        "Run the version that wrote the table, or a newer one; or make the column nullable.",
      );
  const eased = fields.map((there) =>
    !there.nullable && own.find(({ name }) => name === there.name)?.nullable === true
      ? { ...there, nullable: true }
      : there,
  );
  const added = own
    .filter(({ name }) => !fields.some((there) => there.name === name))
    .map((column) => ({ ...column, nullable: true }));
  if (added.length === 0 && eased.every((column, i) => column === fields[i])) return undefined;
  return JSON.stringify({ type: "struct", fields: [...eased, ...added] });
}

const mismatch = (message: string, hint: string): PipelineError =>
  new PipelineError("lake.schema_mismatch", message, { hint });

/** The columns of a schema. Throws PipelineError "lake.log_damaged" where it is none. */
function parseFields(table: string, schema: string): readonly Field[] {
  let fields: unknown;
  try {
    fields = memberOf(JSON.parse(schema), "fields");
  } catch (cause) {
    throw damaged(`table ${table}`, "its schema is not JSON", cause);
  }
  if (!Array.isArray(fields) || !fields.every(isField))
    throw damaged(`table ${table}`, "its schema has no fields");
  return fields;
}

const isField = (field: unknown): field is Field =>
  typeof memberOf(field, "name") === "string" && typeof memberOf(field, "nullable") === "boolean";

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;

function typeName(type: unknown): string {
  if (typeof type === "string") return type;
  const elementType = memberOf(type, "elementType");
  return typeof elementType === "string" ? `array<${elementType}>` : JSON.stringify(type);
}

/**
 * Checks that files which are written anew lose nothing: that `known` are all the columns of a table.
 *
 * Throws PipelineError "lake.schema_mismatch".
 */
export function checkAllKnown(table: string, schema: string, known: readonly string[]): void {
  const unknown = parseFields(table, schema).filter(({ name }) => !known.includes(name));
  if (unknown.length === 0) return;
  const names = unknown.map(({ name, type }) => `${name} (${typeName(type)})`).join(", ");
  throw mismatch(
    `table ${table}: this version does not know ${names}, and would lose what is there by writing files anew`,
    "A newer version has added columns: run that one. Rows are still read and appended by this one.",
  );
}
