// Goal: whatever bytes lie below landing/, reading them ends in rows that are whole or in a refusal that names why, and
// never in a failure of a library, an endless loop or more memory than the bytes deserve.
// Method: landing objects of every stream whose Arrow is changed at random and packed again, so that no checksum helps.
import { encodeArrow } from "@sluice/shared/codec/arrow-ipc.ts";
import type { ColumnData, ColumnTable } from "@sluice/shared/codec/columns.ts";
import { decodeLandingVersion, encodeLanding } from "@sluice/shared/codec/landing.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { LANDING_COLUMNS } from "@sluice/shared/contract/table.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { array, assert, constantFrom, integer, nat, oneof, property, record, tuple } from "fast-check";
import { expect, test } from "vitest";
import { label, prediction, quarantined, readingBlock, vector } from "../../cloud/lake/rows.ts";

const arrowOf = (bytes: Uint8Array): Uint8Array => Uint8Array.from(zstdDecompressSync(bytes));

const GOOD: Readonly<Record<Exclude<Stream, "events">, Uint8Array>> = {
  readings: arrowOf(encodeLanding("readings", [readingBlock(0, 20)])),
  features: arrowOf(
    encodeLanding("features", [[vector(0), vector(1), vector(2, { violations: ["a", "b"] })]]),
  ),
  predictions: arrowOf(encodeLanding("predictions", [[prediction(0), prediction(1)]])),
  labels: arrowOf(encodeLanding("labels", [[label(0), label(1, { note: "other" })]])),
  quarantine: arrowOf(encodeLanding("quarantine", [[quarantined(0), quarantined(3)]])),
};

const rowsIn = (data: ColumnData): number =>
  data.kind === "strings" ? data.indices.length : data.values.length;

/** Whether a table is one that the committer can work with. */
const isWhole = (stream: Stream, { count, columns }: ColumnTable): boolean =>
  LANDING_COLUMNS[stream].every(({ name }) => {
    const data = columns[name];
    if (data === undefined || rowsIn(data) !== count) return false;
    return (
      data.kind !== "strings" ||
      (data.indices.every((index) => index < data.dictionary.length) &&
        data.dictionary.every((text) => typeof text === "string"))
    );
  });

/** What becomes of the bytes: the code of their refusal, or whether their rows are whole. */
function outcomeOf(stream: Stream, body: Uint8Array): string {
  try {
    return isWhole(stream, decodeLandingVersion(stream, body).table) ? "whole" : "broken";
  } catch (error) {
    return error instanceof PipelineError ? error.code : String(error);
  }
}

/** Damaged numbers are most often small, large, or lengths that nearly fit. */
const wordArbitrary = oneof(
  integer(),
  constantFrom(0, 1, -1, 2, 8, 255, 65_536, 1_000_000, 0x7fffffff, 0x40000000, -0x80000000),
);

const changeArbitrary = oneof(
  record({ byte: nat(), value: nat({ max: 255 }) }),
  record({ word: nat(), value: wordArbitrary }),
  record({ cut: nat() }),
);

test("Arrow that is changed anywhere is read as whole rows or refused, whatever the stream", () => {
  assert(
    property(
      constantFrom(...(["readings", "features", "predictions", "labels", "quarantine"] as const)),
      array(changeArbitrary, { minLength: 1, maxLength: 4 }),
      (stream, changes) => {
        let arrow = Uint8Array.from(GOOD[stream]);
        for (const change of changes) {
          const { length } = arrow;
          if (length < 4) break;
          if ("byte" in change) arrow[change.byte % length] = change.value;
          else if ("word" in change)
            new DataView(arrow.buffer).setInt32((change.word % (length >> 2)) * 4, change.value, true);
          else arrow = arrow.slice(0, change.cut % length);
        }
        expect(["whole", "landing.foreign"]).toContain(outcomeOf(stream, zstdCompressSync(arrow)));
      },
    ),
    { numRuns: 2_000 },
  );
});

test("bytes that never were a landing object are refused", () => {
  assert(
    property(tuple(array(nat({ max: 255 }), { maxLength: 200 }), nat({ max: 1 })), ([bytes, packed]) => {
      const body = packed === 1 ? zstdCompressSync(Uint8Array.from(bytes)) : Uint8Array.from(bytes);
      expect(() => decodeLandingVersion("readings", body)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^landing\.(damaged|foreign)$/) }),
      );
    }),
  );
});

/** The landing object of a gateway with other columns. */
function landed(stream: Stream, drop: readonly string[], add: readonly string[]): Uint8Array {
  const { table } = decodeLandingVersion(stream, encodeLanding(stream, [[vector(0), vector(1)]]));
  const added = add.map((name) => ({ name, type: "double" as const, nullable: false }));
  const columns = [...LANDING_COLUMNS[stream].filter(({ name }) => !drop.includes(name)), ...added];
  const values = { kind: "numbers" as const, values: new Float64Array(table.count) };
  const data = { ...table.columns, ...Object.fromEntries(add.map((name) => [name, values])) };
  return zstdCompressSync(encodeArrow(columns, { count: table.count, columns: data }));
}

test("rows of an older gateway have defaults for the columns that it does not know", () => {
  const { table, absent, unknown } = decodeLandingVersion(
    "features",
    landed("features", ["closed_by", "violations", "withheld"], []),
  );
  expect(absent).toEqual(["closed_by", "violations", "withheld"]);
  expect(unknown).toEqual([]);
  expect(table.columns["closed_by"]).toMatchObject({ dictionary: ["watermark"], indices: new Int32Array(2) });
  expect(table.columns["violations"]).toEqual({ kind: "stringLists", values: [[], []] });
  expect(table.columns["withheld"]).toEqual({ kind: "booleans", values: new Uint8Array(2) });
});

test("rows of a newer gateway are read without the columns that only it knows, which are named", () => {
  const { table, absent, unknown } = decodeLandingVersion("features", landed("features", [], ["novelty"]));
  expect([absent, unknown, table.count]).toEqual([[], ["novelty"], 2]);
  expect(Object.keys(table.columns)).toEqual(LANDING_COLUMNS.features.map(({ name }) => name));
});

test("a column that no version lacks is asked for by name", () => {
  expect(() => decodeLandingVersion("features", landed("features", ["device"], []))).toThrow(
    /its columns are seq, view, view_hash, device_type/,
  );
});
