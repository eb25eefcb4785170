import { ReadingChooser, tellLeftOut } from "@sluice/edge/sync/reading-policy.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

interface Row {
  readonly series: number;
  readonly atMs: number;
}

const SERIES = [
  { device: "a", metric: "x" },
  { device: "a", metric: "y" },
  { device: "b", metric: "x" },
].map((series) => ({ ...series, deviceType: "pump", unit: undefined }));

/** Readings whose value tells which one it is. */
const blockOf = (rows: readonly Row[], from: number): ReadingBlock => ({
  count: rows.length,
  series: SERIES,
  seriesIndex: Uint32Array.from(rows, ({ series }) => series),
  offset: Float64Array.from(rows, (_, i) => from + i),
  index: new Uint32Array(rows.length),
  measuredAtUs: Float64Array.from(rows, ({ atMs }) => atMs * 1_000),
  receivedAtUs: Float64Array.from(rows, ({ atMs }) => atMs * 1_000 + 1),
  value: Float64Array.from(rows, (_, i) => from + i),
  clock: new Uint8Array(rows.length),
  withheld: Uint8Array.from(rows, (_, i) => i % 2),
});

const batches = fc.array(
  fc.array(fc.record({ series: fc.nat(2), atMs: fc.nat(10_000) }), { minLength: 1, maxLength: 20 }),
  { maxLength: 8 },
);

/** Chooses batch by batch; which of all rows stay, and how many were told to be left out. */
function choose(chooser: ReadingChooser, batches: readonly (readonly Row[])[]) {
  const kept = new Set<number>();
  let [from, leftOut] = [0, 0];
  for (const rows of batches) {
    // The first try is as if the disk had been full.
    chooser.choose([blockOf(rows, from)]);
    const chosen = chooser.choose([blockOf(rows, from)]);
    chosen.remember();
    leftOut += chosen.leftOut?.count ?? 0;
    for (const block of chosen.blocks)
      for (let i = 0; i < block.count; i++) {
        const place = block.value[i] ?? -1;
        const row = rows[place - from];
        expect([block.seriesIndex[i], block.measuredAtUs[i], block.offset[i]]).toEqual([
          row?.series,
          (row?.atMs ?? NaN) * 1_000,
          place,
        ]);
        expect(block.withheld[i]).toBe((place - from) % 2);
        kept.add(place);
      }
    from += rows.length;
  }
  return { kept, leftOut, all: batches.flat() };
}

test("everything is everything", () => {
  fc.assert(
    fc.property(batches, (batches) => {
      const { kept, leftOut, all } = choose(
        new ReadingChooser({ policy: "everything" }, () => false),
        batches,
      );
      expect([kept.size, leftOut]).toEqual([all.length, 0]);
    }),
  );
});

test("thinned readings in the order of time are the first of their series in each interval, whatever the batches", () => {
  fc.assert(
    fc.property(batches, (batches) => {
      let last = 0;
      const inOrder = batches.map((rows) => rows.map((row) => ({ ...row, atMs: (last += row.atMs % 700) })));
      const chooser = new ReadingChooser({ policy: "thinned", intervalMs: 1_000 }, () => true);
      const { kept, leftOut, all } = choose(chooser, inOrder);
      const first = new Set<string>();
      all.forEach(({ series, atMs }, i) => {
        const interval = `${series} ${Math.floor(atMs / 1_000)}`;
        expect([i, kept.has(i)]).toEqual([i, !first.has(interval)]);
        first.add(interval);
      });
      expect(kept.size + leftOut).toBe(all.length);
    }),
  );
});

test("in any order no interval of a series is without a reading, and what is left out is told exactly", () => {
  fc.assert(
    fc.property(batches, (batches) => {
      const chooser = new ReadingChooser({ policy: "thinned", intervalMs: 1_000 }, () => true);
      const { kept, leftOut, all } = choose(chooser, batches);
      const intervals = (rows: readonly Row[]) =>
        new Set(rows.map(({ series, atMs }) => `${series} ${Math.floor(atMs / 1_000)}`));
      expect(intervals(all.filter((_, i) => kept.has(i)))).toEqual(intervals(all));
      expect(kept.size + leftOut).toBe(all.length);
    }),
  );
});

test("around anomalies are the readings that lie near one of their device, and no others", () => {
  const settings = { policy: "around_anomalies", beforeMs: 300, afterMs: 200 } as const;
  const windows = fc.array(fc.record({ device: fc.constantFrom("a", "b"), fromMs: fc.nat(10_000) }), {
    maxLength: 3,
  });
  fc.assert(
    fc.property(batches, windows, (batches, windows) => {
      const isNear = (device: string, atUs: number, around: { beforeUs: number; afterUs: number }): boolean =>
        windows.some(
          (window) =>
            window.device === device &&
            atUs >= window.fromMs * 1_000 - around.beforeUs &&
            atUs < (window.fromMs + 1_000) * 1_000 + around.afterUs,
        );
      const chooser = new ReadingChooser(settings, isNear);
      const { kept, leftOut, all } = choose(chooser, batches);
      all.forEach(({ series, atMs }, i) => {
        const device = SERIES[series]?.device;
        const isIn = windows.some(
          (window) => window.device === device && atMs >= window.fromMs - 300 && atMs < window.fromMs + 1_200,
        );
        expect([i, kept.has(i)]).toEqual([i, isIn]);
      });
      expect(kept.size + leftOut).toBe(all.length);
    }),
  );
});

test("an anomaly is past when its device has sent what is later, and not when another has", () => {
  const chooser = new ReadingChooser({ policy: "around_anomalies", beforeMs: 0, afterMs: 500 }, () => false);
  chooser.choose([blockOf([{ series: 0, atMs: 1_500 }], 0)]).remember();
  expect(chooser.isPast("a", 1_000_000)).toBe(true);
  expect(chooser.isPast("a", 1_000_001)).toBe(false);
  expect(chooser.isPast("b", 1_000)).toBe(false);
});

test("the event of what is left out names range, counts, devices and times", () => {
  const left = { count: 3, devices: ["a"], fromUs: 5, throughUs: 9 };
  const policy = { policy: "thinned", intervalMs: 60_000 } as const;
  expect(tellLeftOut(left, { from: 10, to: 19, rows: 7 }, policy, 1)).toEqual({
    kind: "shed.policy",
    atUs: 1,
    device: "a",
    offsets: { from: 10, through: 19 },
    count: 3,
    detail:
      "3 of 10 readings were left out as sync.readings says: one reading of each series in 60000 ms is sent",
    facts: {
      reason: "policy",
      policy: "thinned",
      stream: "readings",
      from: 10,
      through: 19,
      kept: 7,
      devices: "a",
      deviceCount: 1,
      measuredFromUs: 5,
      measuredThroughUs: 9,
    },
  });
});
