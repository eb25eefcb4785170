import type { AddFile } from "@sluice/cloud/lake/delta-action.ts";
import { pruneFiles, termTypes } from "@sluice/cloud/lake/prune-files.ts";
import { isBefore, parseFilters, type Term } from "@sluice/cloud/lake/prune-terms.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const TYPES = termTypes("readings");
const DAY_US = 1_795_219_200_000_000;

interface Row {
  readonly device: string;
  readonly offset: number;
  readonly value: number;
  readonly measured_at: number;
  readonly date: string;
}

const dayOf = (us: number): string => new Date(Math.floor(us / 1_000)).toISOString().slice(0, 10);

const rowArb: fc.Arbitrary<Row> = fc
  .record({
    device: fc.oneof(
      fc.constantFrom("a", "b", "pump-1", "it's", "x\ny", "ü", "\u{1F600}", "ﬁ"),
      fc.string({ maxLength: 4 }),
    ),
    offset: fc.nat(50),
    value: fc.double({ noNaN: true, min: -5, max: 5 }),
    measured_at: fc.integer({ min: -3_000_000, max: 3_000_000 }).map((us) => DAY_US + us),
  })
  .map((row) => ({ ...row, date: dayOf(row.measured_at) }));

/** A file of rows as a committer's log entry has it, of which parts of the statistics may be missing. */
function fileOf(rows: readonly Row[], i: number, stated: readonly string[]): AddFile {
  const bounds = (
    pick: (a: string | number, b: string | number) => boolean,
  ): Record<string, string | number> =>
    Object.fromEntries(
      (["device", "offset", "value", "measured_at"] as const)
        .filter((name) => stated.includes(name))
        .map((name) => {
          const least = rows.map((row) => row[name]).reduce((a, b) => (pick(b, a) ? b : a));
          return [
            name,
            name === "measured_at" ? new Date(Math.floor(Number(least) / 1_000)).toISOString() : least,
          ];
        }),
    );
  const stats = {
    numRecords: rows.length,
    minValues: bounds(isBefore),
    maxValues: bounds((a, b) => isBefore(b, a)),
    nullCount: {},
  };
  return {
    path: `date=${rows[0]?.date}/part-${i}.parquet`,
    partitionValues: { date: rows[0]?.date ?? null },
    size: 1,
    modificationTime: 0,
    dataChange: true,
    ...(stated.length === 0 ? {} : { stats: JSON.stringify(stats) }),
  };
}

const termArb: fc.Arbitrary<Term> = rowArb.chain((row) =>
  fc.constantFrom("device", "offset", "value", "measured_at", "date" as const).chain((column) => {
    const value = row[column as keyof Row];
    return fc.constantFrom<Term>(
      { column, min: value, max: value },
      { column, min: value, max: undefined },
      { column, min: undefined, max: value },
    );
  }),
);

const meets = (row: Row, { column, min, max }: Term): boolean => {
  const value = row[column as keyof Row];
  return !((min !== undefined && isBefore(value, min)) || (max !== undefined && isBefore(max, value)));
};

test("a file that has a row for one of the scans is never dropped, whatever its statistics say or leave out", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.array(rowArb, { minLength: 1, maxLength: 6 }),
          fc.subarray(["device", "offset", "value", "measured_at"]),
        ),
        {
          maxLength: 6,
        },
      ),
      fc.array(fc.array(termArb, { maxLength: 3 }), { minLength: 1, maxLength: 3 }),
      (made, scans) => {
        // Rows of a file are of one day, as a table's are.
        const groups = made.map(([rows, stated]) => ({
          rows: rows.filter(({ date }) => date === rows[0]?.date),
          stated,
        }));
        const files = groups.map(({ rows, stated }, i) => fileOf(rows, i, stated));
        const kept = new Set(pruneFiles("readings", files, scans).map(({ path }) => path));
        const needed = groups.flatMap(({ rows }, i) =>
          rows.some((row) => scans.some((terms) => terms.every((term) => meets(row, term))))
            ? [files[i]?.path ?? ""]
            : [],
        );
        expect(needed.filter((path) => !kept.has(path))).toEqual([]);
      },
    ),
    { numRuns: 500 },
  );
});

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

test("a condition on a text is read back whatever the text is, beside others", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: -1_000, max: 1_000 }), (text, number) => {
      const terms = parseFilters(`device=${quoted(text)}\noffset>=${number} AND offset<900`, TYPES);
      const rest = [
        { column: "offset", min: number, max: undefined },
        { column: "offset", min: undefined, max: 899 },
      ];
      expect(terms).toEqual([{ column: "device", min: text, max: text }, ...rest]);
    }),
  );
});

test.each<[string, readonly Term[]]>([
  ["device='a' OR device='b'", []],
  ["optional: metric IN ('b', 'a', 'c, d')", [{ column: "metric", min: "a", max: "c, d" }]],
  [
    "device>='pump' AND device<'pumq' AND (device IS NOT NULL)",
    [
      { column: "device", min: "pump", max: undefined },
      { column: "device", min: undefined, max: "pumq" },
    ],
  ],
  ["device!='q'", []],
  ["(device IS NULL)", []],
  ["value>'infinity'::DOUBLE", []],
  ["offset>9223372036854775806", []],
  [
    "measured_at>='2026-11-21 00:00:00.5+00'::TIMESTAMP WITH TIME ZONE",
    [{ column: "measured_at", min: DAY_US + 500_000, max: undefined }],
  ],
  ["measured_at<'infinity'::TIMESTAMP WITH TIME ZONE", []],
  ["measured_at>'2026-11-21 00:00:00 (BC)+00'::TIMESTAMP WITH TIME ZONE", []],
  ["date='2026-11-21'::DATE", [{ column: "date", min: "2026-11-21", max: "2026-11-21" }]],
  ["optional: Dynamic Filter (measured_at)", []],
  ["unknown='a'", []],
  ["withheld", []],
])("of the filters %s the plan keeps what it understands", (filters, terms) => {
  expect(parseFilters(filters, TYPES)).toEqual(terms);
});
