import { gzipSync, zstdCompressSync } from "node:zlib";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodePayload } from "./calls.ts";

const READING = '{"flow":1.5}';
const EXPECTED = [
  ["record", undefined],
  ["value", "flow", 1.5],
];

test.each([
  ["none", READING],
  ["gzip", gzipSync(READING)],
  ["zstd", zstdCompressSync(READING)],
  ["auto", READING],
  ["auto", gzipSync(READING)],
  ["auto", zstdCompressSync(READING)],
  ["gzip", Buffer.concat([gzipSync(READING.slice(0, 5)), gzipSync(READING.slice(5))])],
])("a payload is unpacked before it is read: %s", (compression, payload) => {
  expect(decodePayload({ format: "json", compression }, payload)).toEqual(EXPECTED);
});

test("every format can be packed", () => {
  const packed = (settings: object, payload: string | Uint8Array): unknown =>
    decodePayload({ ...settings, compression: "gzip" }, gzipSync(payload), { metric: "m" }).at(-1)?.[2];
  expect(packed({ format: "number" }, "7")).toBe(7);
  expect(packed({ format: "csv", columns: ["a"] }, "7")).toBe(7);
  expect(packed({ format: "senml-json" }, '[{"n":"a","v":7}]')).toBe(7);
  expect(packed({ format: "senml-cbor" }, Buffer.from("81a20061610207", "hex"))).toBe(7);
  expect(packed({ format: "waveform-binary", type: "int16", rateHz: 1 }, Buffer.from([7, 0]))).toBe(7);
  expect(packed({ format: "waveform-json", samples: "z", rateHz: 1 }, '{"z":[7]}')).toBe(7);
});

test.each([
  ["gzip", gzipSync(Buffer.alloc(50_000_000))],
  ["zstd", zstdCompressSync(Buffer.alloc(50_000_000))],
])(
  "a small payload that unpacks to a very large one by %s is refused, and not unpacked",
  (compression, bomb) => {
    const before = process.memoryUsage().arrayBuffers;
    const decode = (): unknown =>
      decodePayload({ format: "json", compression, unpackedBytesMax: 100_000 }, bomb);
    expect(decode).toThrow(PipelineError);
    expect(decode).toThrow(
      `The payload of ${bomb.length} bytes unpacks by ${compression} to more than 100000 bytes.`,
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  },
);

test("the limit itself is still unpacked", () => {
  const payload = `"${"a".repeat(998)}"`;
  for (const pack of [gzipSync, zstdCompressSync])
    expect(() =>
      decodePayload({ format: "json", compression: "auto", unpackedBytesMax: 1_000 }, pack(payload)),
    ).toThrow("not an object");
});

test.each([
  ["gzip", Buffer.from(READING), "is not whole gzip data: incorrect header check"],
  ["gzip", gzipSync(READING).subarray(0, 20), "is not whole gzip data: unexpected end of file"],
  ["zstd", Buffer.from(READING), "is not whole zstd data"],
  ["zstd", zstdCompressSync(READING).subarray(0, 12), "is not whole zstd data"],
  [
    "auto",
    gzipSync(READING).fill(0, gzipSync(READING).length - 8),
    "is not whole gzip data: incorrect data check",
  ],
  ["gzip", gzipSync(""), "unpacks by gzip to no bytes"],
])("what is damaged is refused with what is wrong: %s", (compression, payload, sentence) => {
  expect(() => decodePayload({ format: "json", compression }, payload)).toThrow(sentence);
});

/** "decoded", or the code of the refusal. */
function outcome(settings: object, payload: Uint8Array): string {
  try {
    decodePayload(settings, payload);
    return "decoded";
  } catch (error) {
    return error instanceof PipelineError ? error.code : String(error);
  }
}

test("whatever was packed comes back, and nothing but a refusal comes of what was damaged", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(gzipSync, zstdCompressSync),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (pack, value, at, flip) => {
        const payload = pack(JSON.stringify({ value }));
        const settings = { format: "json", compression: "auto" };
        expect(decodePayload(settings, payload).at(-1)).toEqual(["value", "value", value === 0 ? 0 : value]);
        const place = at % payload.length;
        payload[place] = (payload[place] ?? 0) ^ flip;
        expect(["decoded", "payload.malformed"]).toContain(outcome(settings, payload));
      },
    ),
  );
});
