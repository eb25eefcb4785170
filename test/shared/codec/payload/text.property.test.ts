import { decodeText } from "@sluice/shared/codec/payload/text.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

test("any text comes back from its bytes, wherever they lie in their buffer", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.nat(5), (text, shift) => {
      const bytes = new TextEncoder().encode(text);
      const buffer = new Uint8Array(bytes.length + 10).fill(0xff);
      buffer.set(bytes, shift);
      expect(decodeText(buffer.subarray(shift, shift + bytes.length))).toBe(text.replace(/^\ufeff/, ""));
    }),
  );
});

test("the place of the first byte that is not UTF-8 is named exactly", () => {
  const bad = fc.constantFrom(
    [0xff],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf5],
    [0xe2, 0x82],
    [0xf0, 0x9f, 0x98],
    [0x80],
  );
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), bad, fc.string(), (good, wrong, rest) => {
      const front = new TextEncoder().encode(good);
      const bytes = Uint8Array.from([...front, ...wrong, ...new TextEncoder().encode(rest)]);
      expect(() => decodeText(bytes)).toThrow(`not UTF-8 at byte ${front.length}.`);
    }),
    { numRuns: 500 },
  );
});
