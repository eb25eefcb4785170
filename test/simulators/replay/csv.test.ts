import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CsvParser, RECORD_CHARS_MAX } from "../../../simulators/replay/csv.ts";

/** All records of a text that comes in pieces cut at these places. */
function parse(
  text: string,
  { delimiter = ",", cuts = [] as readonly number[] } = {},
): CsvParser & {
  records: { line: number; fields: readonly string[] }[];
} {
  const parser = new CsvParser(delimiter);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (text.length + 1)), text.length])].sort(
    (a, b) => a - b,
  );
  const records = places.flatMap((from, i) => parser.push(text.slice(from, places[i + 1])));
  return Object.assign(parser, { records: [...records, ...parser.end()] });
}

const fieldsOf = (text: string, delimiter?: string): (readonly string[])[] =>
  parse(text, delimiter === undefined ? {} : { delimiter }).records.map(({ fields }) => fields);

test("what was written as CSV is read as it was, wherever the text is cut", () => {
  const field = fc.string({ unit: fc.constantFrom("a", "1", ",", ";", '"', "\n", "\r\n", " ", "é") });
  fc.assert(
    fc.property(
      fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 }),
      fc.constantFrom(",", ";", "\t"),
      fc.record({ lineEnd: fc.constantFrom("\n", "\r\n"), isEnded: fc.boolean() }),
      fc.array(fc.nat(200)),
      (rows, delimiter, { lineEnd, isEnded }, cuts) => {
        const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
        const plain = (text: string): boolean => /^[a1é ]+$/.test(text);
        const text = rows
          .map((row) => row.map((value) => (plain(value) ? value : quote(value))).join(delimiter))
          .join(lineEnd);
        const { records, failure } = parse(isEnded ? text + lineEnd : text, { delimiter, cuts });
        expect(failure).toBeUndefined();
        expect(records.map(({ fields }) => fields)).toEqual(rows);
      },
    ),
    { numRuns: 500 },
  );
});

test("a record says on which line it begins, over quoted line ends and empty lines", () => {
  const { records } = parse('a,b\r\n\r\n"x\ny",1\n\n2,3');
  expect(records.map(({ line }) => line)).toEqual([1, 3, 6]);
});

test("a byte order mark, empty fields and a missing last line end are no trouble", () => {
  expect(fieldsOf("\uFEFFa,b\n,\n1,")).toEqual([
    ["a", "b"],
    ["", ""],
    ["1", ""],
  ]);
  expect(fieldsOf("")).toEqual([]);
  expect(fieldsOf('""')).toEqual([[""]]);
});

test("a quote that is not closed, or has something after it, is named with its line", () => {
  expect(parse('a\n"b\nc').failure).toEqual({ line: 2, problem: "a quote is not closed" });
  expect(parse('a\n"b"c,d\n').failure).toEqual({ line: 2, problem: '"c" after a closing quote' });
  expect(parse('a\n"b"c,d\ne').records.map(({ fields }) => fields)).toEqual([["a"]]);
});

test("a record that never ends is refused before it fills the memory", () => {
  const parser = new CsvParser(",");
  let pushed = 0;
  while (parser.failure === undefined && pushed < 100) {
    parser.push(`"${"x".repeat(65_536)}`.slice(pushed === 0 ? 0 : 1));
    pushed++;
  }
  expect(pushed * 65_536).toBeLessThan(2 * RECORD_CHARS_MAX);
  expect(parser.failure?.problem).toContain("is a quote not closed?");
});
