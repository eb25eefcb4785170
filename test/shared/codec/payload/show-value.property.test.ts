import { showValue } from "@sluice/shared/codec/payload/payload-decoder.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

/** What is shown, by the engine's own JSON. */
function expected(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 64 ? `${text.slice(0, 61)}...` : text;
}

test("a value is shown as JSON, cut to 64 characters", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      expect(showValue(value)).toBe(expected(value));
    }),
    { numRuns: 2_000 },
  );
});

test("what JSON cannot say is shown as what it is", () => {
  expect([undefined, NaN, 12n, [1n, undefined], { a: undefined, b: NaN }].map(showValue)).toEqual([
    "undefined",
    "NaN",
    '"12"',
    '["1",null]',
    '{"b":null}',
  ]);
});

test("a value that nests without end is shown like any other", () => {
  const depth = 1_000_000;
  const arrays: unknown = JSON.parse("[".repeat(depth) + "]".repeat(depth));
  const objects: unknown = JSON.parse('{"a":'.repeat(depth) + "1" + "}".repeat(depth));
  expect(showValue(arrays)).toBe(`${"[".repeat(61)}...`);
  expect(showValue(objects)).toBe(`${'{"a":'.repeat(13).slice(0, 61)}...`);
});
