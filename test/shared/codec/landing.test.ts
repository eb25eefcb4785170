import { decodeLanding, encodeLanding } from "@sluice/shared/codec/landing.ts";
import { decodeArrow, encodeArrow } from "@sluice/shared/codec/arrow-ipc.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { CLOCKS, type ReadingBlock } from "@sluice/shared/contract/reading.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import { LANDING_COLUMNS } from "@sluice/shared/contract/table.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";

const block = (count: number, change: Partial<ReadingBlock> = {}): ReadingBlock => ({
  count,
  series: [
    { device: "pump-1", deviceType: "pump", metric: "vibration_g", unit: "g" },
    { device: "pump-1", deviceType: "pump", metric: "état", unit: undefined },
  ],
  seriesIndex: Uint32Array.from({ length: count }, (_, i) => i % 2),
  offset: Float64Array.from({ length: count }, (_, i) => i),
  index: new Uint32Array(count),
  measuredAtUs: Float64Array.from({ length: count }, (_, i) => 1_795_219_200_000_000 + i),
  receivedAtUs: Float64Array.from({ length: count }, (_, i) => 1_795_219_200_000_000 + 2 * i),
  value: Float64Array.from({ length: count }, (_, i) => i / 3),
  clock: Uint8Array.from({ length: count }, (_, i) => i % 2),
  withheld: Uint8Array.from({ length: count }, (_, i) => Number(i % 3 === 0)),
  ...change,
});

const vector: StoredVector = {
  seq: 0,
  view: "pump_health",
  viewHash: "a".repeat(64),
  device: "pump-1",
  deviceType: "pump",
  windowStartUs: 0,
  windowEndUs: 60_000_000,
  revision: 0,
  sinceOffset: 0,
  throughOffset: 9,
  closedAtUs: 65_000_000,
  closedBy: "watermark",
  violations: [],
  withheld: false,
  readingCount: 3,
  values: [1.5, undefined, -0],
};

test("readings come out with every bit, and dictionaries of several blocks become one", () => {
  const second = block(2, {
    series: [{ device: "p2", deviceType: "pump", metric: "vibration_g", unit: "g" }],
    seriesIndex: new Uint32Array(2),
  });
  const { count, columns } = decodeLanding("readings", encodeLanding("readings", [block(3), second]));
  expect(count).toBe(5);
  expect(columns).toEqual({
    offset: { kind: "numbers", values: Float64Array.of(0, 1, 2, 0, 1) },
    index: { kind: "numbers", values: new Float64Array(5) },
    device: { kind: "strings", dictionary: ["pump-1", "p2"], indices: Int32Array.of(0, 0, 0, 1, 1) },
    device_type: { kind: "strings", dictionary: ["pump"], indices: new Int32Array(5) },
    metric: { kind: "strings", dictionary: ["vibration_g", "état"], indices: Int32Array.of(0, 1, 0, 0, 0) },
    unit: { kind: "strings", dictionary: ["g"], indices: Int32Array.of(0, -1, 0, 0, 0) },
    measured_at: {
      kind: "numbers",
      values: Float64Array.from([0, 1, 2, 0, 1], (i) => 1_795_219_200_000_000 + i),
    },
    received_at: {
      kind: "numbers",
      values: Float64Array.from([0, 2, 4, 0, 2], (i) => 1_795_219_200_000_000 + i),
    },
    value: { kind: "numbers", values: Float64Array.of(0, 1 / 3, 2 / 3, 0, 1 / 3) },
    clock: { kind: "strings", dictionary: [...CLOCKS], indices: Int32Array.of(0, 1, 0, 0, 1) },
    withheld: { kind: "booleans", values: Uint8Array.of(1, 0, 0, 1, 0) },
  });
});

test("whole numbers keep their value up to 2^53, below zero too", () => {
  const values = [Number.MIN_SAFE_INTEGER, -1, -(2 ** 32), 0, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
  const rows = block(values.length, { measuredAtUs: Float64Array.from(values) });
  const { columns } = decodeLanding("readings", encodeLanding("readings", [rows]));
  expect(columns["measured_at"]).toEqual({ kind: "numbers", values: Float64Array.from(values) });
});

test("features keep which of their values are missing", () => {
  const { columns } = decodeLanding(
    "features",
    encodeLanding("features", [[vector, { ...vector, seq: 1, values: [] }]]),
  );
  expect(columns["values"]).toEqual({ kind: "numberLists", values: [[1.5, undefined, -0], []] });
});

test("the same rows give the same bytes, however they were cut into chunks and whatever was encoded before", () => {
  const whole = encodeLanding("readings", [block(4)]);
  encodeLanding("features", [[vector]]);
  expect(sha256Hex(encodeLanding("readings", [block(4)]))).toBe(sha256Hex(whole));
  const parts = [
    encodeLanding("features", [[vector, { ...vector, seq: 1 }]]),
    encodeLanding("features", [[vector], [{ ...vector, seq: 1 }]]),
  ];
  expect(new Set(parts.map(sha256Hex)).size).toBe(1);
});

test("bytes with any bit flipped, or cut anywhere, are never read as rows", () => {
  const good = encodeLanding("readings", [block(40)]);
  const whole = JSON.stringify(decodeLanding("readings", good));
  for (let at = 0; at < good.length; at++) {
    const flipped = Uint8Array.from(good);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    // A bit of the frame's header that means nothing may change; the rows may not.
    expect(["landing.damaged", "landing.foreign", whole]).toContain(outcomeOf(flipped));
    expect(() => decodeLanding("readings", good.subarray(0, at))).toThrow(
      expect.objectContaining({ code: "landing.damaged" }),
    );
  }
});

/** The rows that were read, or the code of the refusal. */
function outcomeOf(bytes: Uint8Array): string {
  try {
    return JSON.stringify(decodeLanding("readings", bytes));
  } catch (error) {
    return error instanceof PipelineError ? error.code : String(error);
  }
}

/** A valid zstd frame of runs of zeros: RFC 8878 §3.1.1, blocks of type RLE with 128 KiB each. */
function bomb(bytes: number): Uint8Array {
  const blocks = Math.ceil(bytes / 131_072);
  const frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
  for (let i = 0; i < blocks; i++) {
    const header = (131_072 << 3) | 2 | (i === blocks - 1 ? 1 : 0);
    frame.push(header & 255, (header >> 8) & 255, (header >> 16) & 255, 0);
  }
  return Uint8Array.from(frame);
}

test("an object that unpacks to more than the limit is refused, whatever its size", () => {
  const small = bomb(262_144);
  expect(() => decodeLanding("readings", small)).toThrow(
    expect.objectContaining({ code: "landing.foreign" }),
  );
  const large = bomb(600 * 1_048_576);
  expect(large.length).toBeLessThan(20_000);
  expect(() => decodeLanding("readings", large)).toThrow(
    expect.objectContaining({ code: "landing.damaged" }),
  );
});

test.each([
  ["no Arrow", Uint8Array.of(1, 2, 3), /not an Arrow IPC stream/],
  [
    "another stream's columns",
    encodeArrow(LANDING_COLUMNS.labels, { count: 0, columns: emptyLabels() }),
    /its columns are offset, device, from/,
  ],
  [
    "a column of another type",
    encodeArrow(
      [...LANDING_COLUMNS.labels].map((c) => (c.name === "offset" ? { ...c, type: "double" as const } : c)),
      { count: 0, columns: emptyLabels() },
    ),
    /column offset is Float64, expected long/,
  ],
])("%s is refused as foreign, with what is wrong", (_, arrow, message) => {
  const stream = /offset is/.test(message.source) ? "labels" : "readings";
  expect(() => decodeLanding(stream, zstdCompressSync(arrow))).toThrow(
    expect.objectContaining({ code: "landing.foreign", message: expect.stringMatching(message) }),
  );
});

function emptyLabels(): Parameters<typeof encodeArrow>[1]["columns"] {
  return Object.fromEntries(
    LANDING_COLUMNS.labels.map(({ name, type }) => [
      name,
      type === "string"
        ? { kind: "strings" as const, dictionary: [], indices: new Int32Array() }
        : { kind: "numbers" as const, values: new Float64Array() },
    ]),
  );
}

test("a null where none may be is a broken promise of ours when writing, and foreign when reading", () => {
  const rows = block(1, { seriesIndex: Uint32Array.of(7) });
  expect(() => encodeLanding("readings", [rows])).toThrow("column device has no nulls");
  const columns = LANDING_COLUMNS.readings.map((column) => ({ ...column, nullable: true }));
  const { columns: data } = decodeLanding("readings", encodeLanding("readings", [block(1)]));
  const arrow = encodeArrow(columns, {
    count: 1,
    columns: { ...data, device: { kind: "strings", dictionary: [], indices: Int32Array.of(-1) } },
  });
  expect(() => decodeLanding("readings", zstdCompressSync(arrow))).toThrow(
    expect.objectContaining({
      code: "landing.foreign",
      message: expect.stringContaining("column device has nulls"),
    }),
  );
});

test("20,000 readings of a plant take at most six bytes each", () => {
  const count = 20_000;
  const rows = block(count, {
    series: Array.from({ length: 100 }, (_, i) => ({
      device: `pump-${i % 20}`,
      deviceType: "pump",
      metric: `metric_${Math.floor(i / 20)}`,
      unit: "g",
    })),
    seriesIndex: Uint32Array.from({ length: count }, (_, i) => (Math.floor(i / 5) % 20) + 20 * (i % 5)),
    offset: Float64Array.from({ length: count }, (_, i) => Math.floor(i / 5)),
    index: Uint32Array.from({ length: count }, (_, i) => i % 5),
    measuredAtUs: Float64Array.from(
      { length: count },
      (_, i) => 1_795_219_200_000_000 + Math.floor(i / 5) * 50_000 + ((Math.floor(i / 5) * 7_919) % 997),
    ),
    receivedAtUs: Float64Array.from(
      { length: count },
      (_, i) => 1_795_219_202_000_000 + Math.floor(i / 5) * 50_000 + ((Math.floor(i / 5) * 104_729) % 991),
    ),
    // A sine with a pseudo-random last digit, to three decimals.
    value: Float64Array.from(
      { length: count },
      (_, i) => Math.round(2_000 * (1 + Math.sin(i / 700)) + ((i * 7_907) % 101)) / 1_000,
    ),
  });
  expect(encodeLanding("readings", [rows]).length / count).toBeLessThan(6);
});

test("a number that a 32-bit column cannot hold is refused when it is written, not wrapped around", () => {
  const integers = [{ name: "index", type: "integer" as const, nullable: false }];
  const table = (value: number) => ({
    count: 1,
    columns: { index: { kind: "numbers" as const, values: Float64Array.of(value) } },
  });
  expect(() => encodeArrow(integers, table(2 ** 31))).toThrow("2147483648 is a 32-bit whole number");
  expect(() => encodeArrow(integers, table(0.5))).toThrow("0.5 is a 32-bit whole number");
  expect(decodeArrow(integers, encodeArrow(integers, table(-(2 ** 31)))).columns["index"]).toEqual(
    table(-(2 ** 31)).columns.index,
  );
});
