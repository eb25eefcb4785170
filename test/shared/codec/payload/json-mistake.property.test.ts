import { jsonMistake } from "@sluice/shared/codec/payload/json-mistake.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const alphabet = fc.constantFrom(
  "{",
  "}",
  "[",
  "]",
  '"',
  ":",
  ",",
  "1",
  "0",
  ".",
  "e",
  "-",
  " ",
  "\n",
  "\\",
  "u",
  "true",
  "null",
  '"a"',
);
const nearlyJson = fc
  .tuple(fc.json(), fc.nat(200), alphabet)
  .map(([text, at, piece]) => text.slice(0, at) + piece + text.slice(at + 1));

test("JSON has no mistake", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(jsonMistake(text)).toBe(text.length);
    }),
  );
});

test("a mistake is the first: what lies before has none, what comes after does not matter, and it is not JSON", () => {
  fc.assert(
    fc.property(fc.oneof(nearlyJson, fc.string({ unit: alphabet })), (text) => {
      const at = jsonMistake(text);
      expect(jsonMistake(text.slice(0, at))).toBe(at);
      fc.pre(at < text.length);
      expect(jsonMistake(text.slice(0, at + 1))).toBe(at);
      expect(isJson(text)).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ["", 0],
  ["{", 1],
  ['{"a":NaN}', 5],
  ['{"a":1,}', 7],
  ["[1 2]", 3],
  ["[,1]", 1],
  ["{1:2}", 1],
  ['{"a" 1}', 5],
  ['"a\nb"', 2],
  ['"a\\x"', 2],
  ['"\\u12g4"', 1],
  ["[1]]", 3],
  ["01", 1],
  ["1.", 1],
  ["[}", 1],
  ["'a'", 0],
  ['{"a":1', 6],
])("the mistake of %j is at %d", (text, at) => {
  expect(jsonMistake(text)).toBe(at);
});
