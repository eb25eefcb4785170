import { expect, test } from "vitest";
import { parseWriteBytes } from "../../../edge/status/flash.ts";
import { Meters } from "../../../edge/status/meters.ts";
import { pipeline } from "./sample-status.ts";

const IO =
  "rchar: 5\nwchar: 6\nsyscr: 1\nsyscw: 2\nread_bytes: 7\nwrite_bytes: 8192\ncancelled_write_bytes: 3\n";

test("what the system counts as written is read from its own line, and nothing from a text without it", () => {
  expect(parseWriteBytes(IO)).toBe(8_192);
  expect(parseWriteBytes("rchar: 5\ncancelled_write_bytes: 3\n")).toBeUndefined();
});

/** The worker's counters after so many seconds. */
const after = (seconds: number): typeof pipeline => ({
  ...pipeline,
  counters: { readings: 10 * seconds },
  buffer: {
    ...pipeline.buffer,
    writtenBytes: 100 * seconds,
    derivedWrittenBytes: 50 * seconds,
    derived: { ...pipeline.buffer.derived, other: { rows: 3 * seconds, pendingRows: 0, bytesPerRow: 1 } },
  },
  sync: { ...pipeline.sync, delivered: { batches: 0, rows: 0, bytes: 70 * seconds } },
});

test("every rate is that of its own counter", () => {
  let written = 0;
  const meters = new Meters(() => (written += 1_000));
  for (let s = 0; s < 5; s++) meters.sample(after(s), s * 1_000_000);
  expect(meters.rates).toEqual({
    readingsPerS: 10,
    bytesPerS: 100,
    otherRowsPerS: 3,
    deliveredBytesPerS: 70,
    storage: { bytesPerS: 1_000, from: "system" },
  });
});

test("where the system does not count, everything counts twice that is written, and it is said to be an estimate", () => {
  const meters = new Meters(() => undefined);
  for (let s = 0; s < 5; s++) meters.sample(after(s), s * 1_000_000);
  expect(meters.rates.storage).toEqual({ bytesPerS: 300, from: "estimate" });
});
