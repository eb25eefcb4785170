import type { Stream } from "@sluice/shared/contract/stream.ts";
import { checkSchema, schemaString } from "@sluice/cloud/lake/delta-schema.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly nullable: boolean;
  readonly metadata: object;
}
const fieldsOf = (schema: string): Field[] => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a schema of ours
  const { fields } = JSON.parse(schema) as { fields: Field[] };
  return fields;
};
const schemaOf = (fields: readonly Field[]): string => JSON.stringify({ type: "struct", fields });
const own = (stream: Stream): Field[] => fieldsOf(schemaString(stream));

test("a table of this version stays as it is", () => {
  for (const stream of ["readings", "features", "predictions", "labels", "quarantine", "events"] as const)
    expect(checkSchema(stream, schemaString(stream))).toBeUndefined();
});

test.each([
  ["readings", ["withheld"]],
  ["features", ["closed_by", "violations", "withheld"]],
  ["predictions", ["unlike_training"]],
] as const)("%s of an older version get %s as nullable columns behind the others", (stream, missing) => {
  const older = own(stream).filter(({ name }) => !missing.some((each) => each === name));
  const upgraded = checkSchema(stream, schemaOf(older)) ?? "";
  const fields = fieldsOf(upgraded);
  expect(fields.slice(0, older.length)).toEqual(older);
  expect(fields.slice(older.length)).toEqual(
    own(stream)
      .filter(({ name }) => missing.some((each) => each === name))
      .map((field) => ({ ...field, nullable: true })),
  );
  expect(checkSchema(stream, upgraded)).toBeUndefined();
});

test("nullable columns of a newer version are left out, those that need a value are refused", () => {
  const extra = { name: "shift", type: "string", nullable: true, metadata: { comment: "newer" } };
  const newer = [...own("readings"), extra];
  expect(checkSchema("readings", schemaOf(newer))).toBeUndefined();
  const strict = [...own("readings"), { ...extra, nullable: false }];
  expect(() => checkSchema("readings", schemaOf(strict))).toThrow(
    "table readings: column shift (string) must have a value, and this version does not know it",
  );
});

test("a column that must have a value in the table and need not here becomes nullable", () => {
  const strict = own("readings").map((field) => ({ ...field, nullable: false }));
  const eased = fieldsOf(checkSchema("readings", schemaOf(strict)) ?? "");
  expect(eased.filter(({ nullable }) => nullable).map(({ name }) => name)).toEqual(["unit", "date"]);
});

test.each([
  ["readings", "value", "float", "column value is float, and this version writes double"],
  ["readings", "offset", "integer", "column offset is integer, and this version writes long"],
  [
    "features",
    "values",
    { type: "array", elementType: "float", containsNull: true },
    "column values is array<float>, and this version writes array<double>",
  ],
  ["labels", "date", "string", "column date is string, and this version writes date"],
] as const)(
  "%s with another type of %s are refused with both types and a remedy",
  (stream, name, type, message) => {
    const other = own(stream).map((field) => (field.name === name ? { ...field, type } : field));
    expect(() => checkSchema(stream, schemaOf(other))).toThrow(
      expect.objectContaining({
        code: "lake.schema_mismatch",
        message: `table ${stream}: ${message}`,
        hint: expect.stringContaining("A column's type cannot change"),
      }),
    );
  },
);

test.each(["{", "7", '{"fields":[{"name":"a"}]}'])("the schema %s is a damaged log", (schema) => {
  expect(() => checkSchema("readings", schema)).toThrow(
    expect.objectContaining({ code: "lake.log_damaged" }),
  );
});

test("whatever columns are missing or more, in any order, one upgrade is enough and loses none", () => {
  const all = own("predictions");
  const subset = fc.shuffledSubarray(all);
  const extras = fc.uniqueArray(fc.stringMatching(/^x_[a-z]{1,5}$/), { maxLength: 4 });
  fc.assert(
    fc.property(subset, extras, (columns, names) => {
      const existing = [
        ...columns,
        ...names.map((name) => ({ name, type: "long", nullable: true, metadata: {} })),
      ];
      const upgraded = checkSchema("predictions", schemaOf(existing)) ?? schemaOf(existing);
      expect(checkSchema("predictions", upgraded)).toBeUndefined();
      expect(fieldsOf(upgraded).slice(0, existing.length)).toEqual(existing);
      expect(new Set(fieldsOf(upgraded).map(({ name }) => name))).toEqual(
        new Set([...all.map(({ name }) => name), ...names]),
      );
    }),
  );
});
