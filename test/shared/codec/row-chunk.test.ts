import { serialize } from "node:v8";
import { zstdCompressSync } from "node:zlib";
import { decodeChunk, encodeChunk, rowCount } from "@sluice/shared/codec/row-chunk.ts";
import { decodeReadings, encodeReadings } from "@sluice/shared/codec/reading-chunk.ts";
import type { Label } from "@sluice/shared/contract/label.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const readings: ReadingBlock = {
  count: 2,
  series: [{ device: "a", deviceType: "pump", metric: "m", unit: undefined }],
  seriesIndex: new Uint32Array(2),
  offset: Float64Array.of(2 ** 53 - 1, 2 ** 53 - 1),
  index: Uint32Array.of(0, 1),
  measuredAtUs: Float64Array.of(-1, 1_795_219_200_000_001),
  receivedAtUs: Float64Array.of(0, 1),
  value: Float64Array.of(-0, Number.MIN_VALUE),
  clock: Uint8Array.of(0, 1),
  withheld: Uint8Array.of(1, 0),
};
/** As format 4 had it: V8's structured clone of the stream and its rows. */
const encodeAsObjects = (stream: string, rows: unknown): Uint8Array =>
  Uint8Array.of(4, ...zstdCompressSync(serialize({ stream, rows })));

const labels: readonly Label[] = [
  { offset: 3, device: "ä", fromUs: 0, toUs: 1, label: "normal", author: "x", note: "", knownAtUs: 2 },
];

test("rows come out as they went in, also from the middle of a larger buffer", () => {
  for (const [stream, rows] of [
    ["readings", readings],
    ["labels", labels],
  ] as const) {
    const bytes = stream === "readings" ? encodeChunk("readings", readings) : encodeChunk("labels", labels);
    const larger = new Uint8Array(bytes.length + 9);
    larger.set(bytes, 3);
    expect(decodeChunk(stream, larger.subarray(3, 3 + bytes.length))).toEqual(rows);
  }
  expect([rowCount(readings), rowCount(labels)]).toEqual([2, 1]);
});

test("a chunk of another stream, another version or with its end cut is refused and says why", () => {
  const bytes = encodeChunk("labels", labels);
  const refusal = (message: RegExp): unknown =>
    expect.objectContaining({ code: "buffer.chunk_unreadable", message: expect.stringMatching(message) });
  expect(() => decodeChunk("readings", bytes)).toThrow(refusal(/chunk of readings .*it holds labels/));
  expect(() => decodeChunk("labels", Uint8Array.of(9, ...bytes.subarray(1)))).toThrow(refusal(/format 9/));
  expect(() => decodeChunk("labels", bytes.subarray(0, 20))).toThrow(refusal(/damaged/));
  expect(() => decodeChunk("labels", new Uint8Array())).toThrow(refusal(/format undefined/));
});

test("readings of any series come out with the same bits, and every cut of them is refused", () => {
  const name = fc.string({ unit: "binary", maxLength: 12 });
  const series = fc.record({
    device: name,
    deviceType: name,
    metric: name,
    unit: fc.option(name, { nil: undefined }),
  });
  const number = fc.double({ noNaN: true });
  const reading = fc.tuple(fc.nat(), number, number, number, number, fc.nat(2), fc.nat(1));
  const block = fc
    .tuple(fc.array(series, { minLength: 1, maxLength: 20 }), fc.array(reading, { maxLength: 50 }))
    .map(([all, rows]): ReadingBlock => ({
      count: rows.length,
      series: all,
      seriesIndex: Uint32Array.from(rows, (row) => row[0] % all.length),
      offset: Float64Array.from(rows, (row) => row[1]),
      index: Uint32Array.from(rows, (row) => row[0]),
      measuredAtUs: Float64Array.from(rows, (row) => row[2]),
      receivedAtUs: Float64Array.from(rows, (row) => row[3]),
      value: Float64Array.from(rows, (row) => row[4]),
      clock: Uint8Array.from(rows, (row) => row[5]),
      withheld: Uint8Array.from(rows, (row) => row[6]),
    }));
  fc.assert(
    fc.property(block, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (rows, share) => {
      expect(decodeChunk("readings", encodeChunk("readings", rows))).toEqual(rows);
      const plain = encodeReadings(rows);
      expect(decodeReadings(plain)).toEqual(rows);
      expect(() => decodeReadings(plain.subarray(0, Math.floor(plain.length * share)))).toThrow(
        /bytes are no/,
      );
    }),
  );
});

test("readings that another version has written are read", () => {
  expect(decodeChunk("readings", encodeAsObjects("readings", readings))).toEqual(readings);
});
